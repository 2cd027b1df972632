#pragma once
// What becomes of the gradients of tasks that lie side by side on a device: the fixed-order sums of
// their largest aligned subtrees (outerloop/comm/slot_tree.h) and their hashes, made there.

#include <memory>
#include <span>
#include <vector>

#include "outerloop/comm/slot_reduction.h"
#include "outerloop/exec/cuda_bit_sums.h"
#include "outerloop/exec/cuda_slot_sums.h"
#include "train/device_batch.h"

namespace outerloop::train {

// Of gradients of theta.
exec::cuda::SlotSums make_slot_sums(const std::shared_ptr<exec::Device>& device,
                                    const comm::Range& slots, const optim::ThetaLayout& layout,
                                    exec::cuda::SlotSums::Sums sums);

class DeviceSums {
 public:
  // Of the batch's tasks, which have these slots.
  DeviceSums(const DevicePlan& plan, const DeviceBatch& batch, const optim::ThetaLayout& layout,
             const comm::Range& slots);

  // Launches what there is to do, and copies back what is not a sum: synchronise the plan's stream
  // then.
  void run();

  // Of the slots that count, on the device.
  std::span<const comm::SlotNode> nodes();
  bool counts(int64_t task) const { return counts_[static_cast<size_t>(task)] != 0; }
  std::span<const uint32_t> hashes(int64_t task) const;  // by parameter

 private:
  std::byte* fetched(std::span<std::byte> host);

  // Comes back after each run.
  struct Copy {
    exec::DeviceMemory memory;
    std::span<std::byte> host;
  };

  const DevicePlan& plan_;
  size_t parameters_;
  std::vector<float> counts_;             // by task
  std::vector<uint32_t> hashes_;          // by task and parameter
  std::vector<comm::SlotNode> roots_;     // without data
  std::vector<exec::DeviceMemory> sums_;  // by root
  std::vector<float> present_;            // the same
  std::vector<comm::SlotNode> nodes_;
  std::vector<Copy> copies_;
  exec::cuda::BitSums bit_sums_;
  exec::cuda::SlotSums slot_sums_;
  exec::DeviceMemory finite_;
  exec::DeviceGraph graph_;
};

}  // namespace outerloop::train
