#pragma once
// Meta-steps on a device that run without the host, from drawing the tasks to the hashes after the
// update: what several steps give comes back at once. Of a rank that is alone, a step is one graph;
// where there are others, it is one before the sum of their gradients and one after it.

#include <memory>
#include <optional>

#include "outerloop/exec/cuda_step_log.h"
#include "train/device_team.h"
#include "train/device_update.h"
#include "train/rank_sum.h"
#include "train/task_results.h"

namespace outerloop::train {

// The others, and in how many groups gradients travel to them.
struct DevicePeers {
  RankSum& sum;
  comm::DeviceRanks& devices;
  size_t groups = 1;
};

class DeviceSteps {
 public:
  // Steps of the team's slots; made again where others are dealt. All must outlive this.
  DeviceSteps(const config::Outer& config, const optim::ThetaLayout& layout,
              const std::vector<meta::Measure>& measures, DeviceTeam& team, DeviceUpdate& update,
              std::optional<DevicePeers> peers);

  // So many steps fit between start() and finish(). With peers they are few: the host is to hear of
  // a rank that fails, and a device whose queue is full stops the host.
  int64_t most() const { return most_; }

  // What a rank with these slots asks of a device that gets its kernels beforehand, where there are
  // others: beside the kernels of its tasks and of its update.
  static void make_kernels_with_peers(const std::shared_ptr<exec::Device>& device,
                                      const optim::ThetaLayout& layout, const comm::Range& slots,
                                      const exec::cuda::StepRow& row);

  // Nothing of start() and step() waits for the device, but sums that go through the hosts; and of
  // what they change the host knows nothing until finish(). With peers all are collective.
  // `first`: any slot of the first of `count` iterations.
  void start(const data::TaskKey& first, int64_t count);
  // The next of them, with the settings that are there.
  void step();
  // Waits for all that was launched, and counts the updates that were made.
  void finish();

  // Of step i since start(), the team's slots and its hashes. Returns whether the update was made.
  bool take(int64_t i, TaskResults& results, StepHashes& hashes) const;

 private:
  template <class Work>
  exec::DeviceGraph recorded(Work work) const;

  config::Outer config_;
  const DevicePlan& plan_;
  DeviceUpdate& update_;
  std::optional<DevicePeers> peers_;
  int64_t most_;
  DeviceBatch* batch_;  // null: no slots
  DeviceSums* sums_;
  comm::Range slots_;
  exec::cuda::StepRow row_;
  exec::cuda::StepLog log_;
  exec::DeviceGraph first_, last_;                          // of a step, the last with peers alone
  std::vector<float> rates_, corrections1_, corrections2_;  // of the steps since start()
  int64_t steps_ = 0;                                       // launched since
};

}  // namespace outerloop::train
