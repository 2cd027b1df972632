#pragma once
// What becomes of the gradients of tasks that lie side by side on a device: the fixed-order sums of
// their largest aligned subtrees (outerloop/comm/slot_tree.h) and their bit sums, made there.

#include <memory>
#include <span>
#include <vector>

#include "outerloop/comm/slot_reduction.h"
#include "outerloop/exec/cuda_bit_sums.h"
#include "train/bit_sums.h"
#include "train/device_batch.h"

namespace outerloop::train {

// Inputs gradients (n, elements), losses (n,) of the n slots. Outputs counts (n,), 1 where loss and
// gradient are finite and 0 elsewhere; sum/<i> (elements,) and present/<i> (1, 1) of root i of
// comm::subtree_roots(slots).
Program slot_sums_program(const comm::Range& slots, int64_t elements);

class DeviceSums {
 public:
  // Of the batch's tasks, which have these slots.
  DeviceSums(const DevicePlan& plan, const DeviceBatch& batch, const optim::ThetaLayout& layout,
             const comm::Range& slots);

  // Launches what there is to do, and the copies back: synchronise the plan's stream then.
  void run();

  // Of the slots that count.
  std::span<const comm::SlotNode> nodes();
  bool counts(int64_t task) const { return counts_[static_cast<size_t>(task)] != 0; }
  std::span<const LaneSums> of(int64_t task) const;  // by parameter
  size_t bytes() const;

 private:
  exec::DeviceMemory fetched(std::span<std::byte> host);

  // Comes back after each run.
  struct Copy {
    exec::DeviceMemory memory;
    std::span<std::byte> host;
  };

  const DevicePlan& plan_;
  size_t parameters_;
  std::vector<float> counts_;             // by task
  std::vector<LaneSums> bit_sums_;        // by task and parameter
  std::vector<comm::SlotNode> roots_;     // without data
  std::vector<std::vector<float>> sums_;  // by root
  std::vector<float> present_;            // the same
  std::vector<comm::SlotNode> nodes_;
  std::vector<Copy> copies_;
  std::shared_ptr<const exec::cuda::Executable> executable_;
  exec::cuda::Lanes lanes_;
  exec::cuda::BitSums kernel_;
  exec::DeviceGraph graph_;
};

}  // namespace outerloop::train
