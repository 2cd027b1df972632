#pragma once
// The slots of a rank side by side on a device, which draws their tasks too; sums over the slots
// stay there.

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "train/device_sums.h"
#include "train/slot_team.h"

namespace outerloop::train {

class DeviceTeam : public SlotTeam {
 public:
  // The state must outlive the team. `total`: where the sum of a rank that is alone goes on the
  // device, and behind it how many slots count; null where there are others.
  DeviceTeam(const TeamWork& work, const DeviceState& state, const passes::Options& options,
             float* total);

  const DevicePlan& plan() const { return plan_; }
  const comm::Range& slots() const { return slots_; }
  // Of the slots that were dealt, until others are; null where there are none.
  DeviceBatch* batch();
  DeviceSums* sums();
  void refresh() override { plan_.refresh(); }
  // All are final at the end of run(), which tells of none.
  std::vector<FinalGroup> order(std::span<const comm::Range> groups) const override;
  void deal(const comm::Range& slots) override;
  void run(const data::TaskKey& key, TaskResults& results, std::span<const FinalGroup> order,
           const Tell& tell, MetaStepTimes* times) override;
  std::span<const comm::SlotNode> nodes() override;
  void hash_gradients(std::span<uint32_t> hashes) override;
  void keep_apart(int64_t slot) override { apart_ = slot; }
  void hash_apart(std::span<uint32_t> hashes) override;
  SlotReplay replay(const data::TaskKey& key) override;
  void set_gradient_hook(const GradientHook& hook) override { hook_ = hook; }
  bool has_accuracy() const override;
  Flops flops_per_task() const override { return plan_.flops(); }
  size_t kernel_calls_per_task() const override { return plan_.launches(); }
  size_t lane_bytes() const override { return plan_.lane_bytes(); }
  size_t device_traffic_bytes() const override { return plan_.traffic_bytes(); }
  size_t library_products() const override { return plan_.library_products(); }
  std::vector<exec::StepTime> profile(const data::TaskKey& key, int repeats) override;

 private:
  void prepare();
  void call_hook(const data::TaskKey& key);
  void take(int64_t task, TaskResults::Task result);
  void add_hashes(int64_t task, std::span<uint32_t> hashes) const;

  const optim::ThetaLayout& layout_;
  std::vector<meta::Measure> measures_;
  float* total_;
  std::vector<int64_t> parameter_ends_;
  DevicePlan plan_;
  DeviceBatch single_;  // replays
  comm::Range slots_;
  // Of slots, where there are any, from the first run() with them on.
  std::optional<DeviceBatch> batch_;
  std::optional<DeviceSums> sums_;
  std::span<const float> losses_;
  std::span<const float> accuracies_;  // empty where the learner gives none
  std::vector<std::span<const float>> measured_;
  int64_t apart_ = -1;
  GradientHook hook_;
};

}  // namespace outerloop::train
