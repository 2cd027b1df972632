#pragma once
// Slots' sums on a device, added up there.

#include <functional>
#include <vector>

#include "outerloop/comm/slot_tree.h"
#include "outerloop/exec/cuda_vector_sums.h"

namespace outerloop::train {

class DeviceTree {
 public:
  // So many sums that are asked for again and again, numbered from 0.
  DeviceTree(std::shared_ptr<exec::Device> device, size_t count)
      : sums_(std::move(device), count) {}

  // comm::finish_tree over all elements of `total`; see VectorSums::run.
  void finish(const exec::DeviceStream& stream, size_t number,
              std::span<const comm::SlotNode> nodes, std::span<float> total,
              const std::function<void()>& settle);
  // Those that are present in turn, whichever part of the tree they are.
  void add(const exec::DeviceStream& stream, size_t number, std::span<const comm::SlotNode> nodes,
           std::span<float> total, const std::function<void()>& settle);

 private:
  exec::cuda::VectorSums sums_;
  std::vector<comm::SumStep> steps_;
  std::vector<exec::cuda::SumTerm> terms_;
};

}  // namespace outerloop::train
