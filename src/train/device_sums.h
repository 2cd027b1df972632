#pragma once
// What becomes of the gradients of tasks that lie side by side on a device: fixed-order sums
// (outerloop/comm/slot_tree.h) and their hashes, made there.

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
  // Of the batch's tasks, which have these slots. Without `total` the sums are those of the largest
  // aligned subtrees; with it, of all tasks to there and, behind it, how many count.
  DeviceSums(const DevicePlan& plan, const DeviceBatch& batch, const optim::ThetaLayout& layout,
             const comm::Range& slots, float* total);

  // Puts the work on the plan's stream. Can be recorded.
  void launch();
  // The same, and copies back what is not a sum: synchronise the plan's stream then.
  void run();

  // The sums, on the device.
  std::span<const comm::SlotNode> nodes() const { return nodes_; }
  // On the device: by task whether it counts, by task and parameter the hashes.
  std::byte* device_counts() const { return device_counts_.data; }
  std::byte* device_hashes() const { return device_hashes_.data; }

  // After run().
  bool counts(int64_t task) const { return counts_[static_cast<size_t>(task)] != 0; }
  std::span<const uint32_t> hashes(int64_t task) const;  // by parameter

 private:
  const DevicePlan& plan_;
  const DeviceBatch& batch_;
  int64_t tasks_;
  size_t parameters_, gradient_bytes_;
  std::vector<float> counts_;     // by task
  std::vector<uint32_t> hashes_;  // by task and parameter
  exec::DeviceMemory device_counts_, device_hashes_, finite_;
  exec::DeviceMemory sums_, sum_counts_;  // of subtrees, one after the other
  std::vector<comm::SlotNode> nodes_;
  exec::cuda::BitSums bit_sums_;
  exec::cuda::SlotSums slot_sums_;
  exec::DeviceGraph graph_;
};

}  // namespace outerloop::train
