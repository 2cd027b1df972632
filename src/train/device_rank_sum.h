#pragma once
// The sum of gradients in the memory of the ranks' devices.

#include "outerloop/comm/device_slot_reduction.h"
#include "train/device_state.h"
#include "train/device_tree.h"
#include "train/gradient_sum.h"

namespace outerloop::train {

class DeviceRankSum final : public GradientSum {
 public:
  // The sum goes to `total`, and behind it, as one more element, how many slots count. All must
  // outlive this.
  DeviceRankSum(comm::DeviceRanks& ranks, const DeviceState& state,
                std::span<const comm::Range> groups, std::span<float> total);
  // Of a rank that fails, some may be under way.
  ~DeviceRankSum() override { ranks_.abandon(); }

  void deal(std::span<const comm::Range> slots) override;
  void begin(size_t group, std::span<const comm::SlotNode> nodes) override;
  void finish() override;
  void drop() override;
  void sum_fast(std::span<const comm::SlotNode> nodes) override;
  float* total() override { return total_.data(); }

 private:
  comm::DeviceStream stream() const { return state_.stream().handle.get(); }
  std::span<float> sum() const { return total_.first(total_.size() - 1); }

  comm::DeviceRanks& ranks_;
  const DeviceState& state_;
  std::span<float> total_;
  exec::DeviceStream exchange_, gather_;
  DeviceTree tree_;
  exec::DeviceMemory received_;
  comm::DeviceSlotReduction reduction_;
};

}  // namespace outerloop::train
