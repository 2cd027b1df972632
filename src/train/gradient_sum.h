#pragma once
// The sum of the ranks' gradients. Nodes and sum lie where the slots are computed: in the memory of
// the host (host_sum.h) or of a device (device_rank_sum.h).

#include <span>

#include "outerloop/comm/slot_reduction.h"

namespace outerloop::train {

class GradientSum {
 public:
  virtual ~GradientSum() = default;

  // Of all ranks.
  virtual void deal(std::span<const comm::Range> slots) = 0;

  // Collective, all of them. Sends a group of this rank's sums on its way.
  virtual void begin(size_t group, std::span<const comm::SlotNode> nodes) = 0;
  // After all groups began: finishes the tree; zeros where no slot is present.
  virtual void finish() = 0;
  // In place of finish(): nothing comes of it.
  virtual void drop() = 0;
  // Without groups, in the library's order; zeros where no slot is present.
  virtual void sum_fast(std::span<const comm::SlotNode> nodes) = 0;

  // Where finish() and sum_fast() leave the sum, until the next round. In the memory of a device it
  // may be under way: who waits for the device waits for the ranks before (DeviceRanks::wait()), as
  // a stream alone does not tell of a rank that failed.
  virtual float* total() = 0;
};

}  // namespace outerloop::train
