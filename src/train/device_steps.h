#pragma once
// Meta-steps of a rank that is alone, on its device: a step, from drawing its tasks to the hashes
// after its update, is one graph, and what several steps give comes back at once.

#include <memory>

#include "outerloop/exec/cuda_slot_sums.h"
#include "outerloop/exec/cuda_step_log.h"
#include "train/device_batch.h"
#include "train/device_update.h"
#include "train/slot_team.h"
#include "train/task_results.h"

namespace outerloop::train {

class DeviceSteps {
 public:
  // Steps of all slots. The plan, the layout and the update must outlive this.
  DeviceSteps(const config::Config& config, const DevicePlan& plan, DeviceUpdate& update,
              const TeamWork& work);

  // So many steps fit between start() and finish().
  static constexpr int64_t most() { return 256; }
  // Nothing of start() and step() waits for the device, and of what they change the host knows
  // nothing until finish().
  // `first`: slot 0 of the first of `count` iterations.
  void start(const data::TaskKey& first, int64_t count);
  // The next of them. The settings are there already.
  void step();
  // Waits for all that was launched, and counts the updates that were made.
  void finish();

  // Of step i since start(). Returns whether its update was made.
  bool take(int64_t i, TaskResults& results, StepHashes& hashes) const;

 private:
  void launch();

  config::Outer config_;
  const DevicePlan& plan_;
  DeviceUpdate& update_;
  DeviceBatch batch_;
  exec::cuda::BitSums bit_sums_;
  exec::cuda::SlotSums slot_sums_;
  exec::DeviceMemory counts_, hashes_, finite_;
  exec::cuda::StepRow row_;
  exec::cuda::StepLog log_;
  exec::DeviceGraph graph_;
  std::vector<float> rates_, corrections1_, corrections2_;  // of the steps since start()
  int64_t steps_ = 0;                                       // launched since
};

}  // namespace outerloop::train
