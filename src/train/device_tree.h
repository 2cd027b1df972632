#pragma once
// Slots' sums on a device, added up there.

#include <memory>
#include <vector>

#include "outerloop/comm/slot_tree.h"
#include "outerloop/exec/cuda_vector_sums.h"

namespace outerloop::train {

class DeviceTree {
 public:
  // So many sums that are asked for again and again, numbered from 0.
  DeviceTree(std::shared_ptr<exec::Device> device, size_t count)
      : sums_(std::move(device), count) {}

  // comm::finish_tree over all elements of `total`, and how many slots count to `count`, if any.
  // As for VectorSums::run, the device must be done with the last sum of this number.
  void finish(const exec::DeviceStream& stream, size_t number,
              std::span<const comm::SlotNode> nodes, std::span<float> total,
              float* count = nullptr);
  // The same of the nodes in turn, whichever part of the tree they are.
  void add(const exec::DeviceStream& stream, size_t number, std::span<const comm::SlotNode> nodes,
           std::span<float> total, float* count);

 private:
  exec::cuda::VectorSums sums_;
  std::vector<comm::SumStep> steps_;
  std::vector<exec::cuda::SumTerm> terms_;
};

}  // namespace outerloop::train
