#include "train/device_tree.h"

namespace outerloop::train {

void DeviceTree::finish(const exec::DeviceStream& stream, size_t number,
                        std::span<const comm::SlotNode> nodes, std::span<float> total,
                        float* count) {
  comm::list_steps(nodes, steps_);
  terms_.clear();
  for (const comm::SumStep& step : steps_) {
    terms_.push_back({step.data, step.count, step.additions});
  }
  sums_.run(stream, number, terms_, total, count);
}

void DeviceTree::add(const exec::DeviceStream& stream, size_t number,
                     std::span<const comm::SlotNode> nodes, std::span<float> total, float* count) {
  terms_.clear();
  for (const comm::SlotNode& node : nodes) {
    terms_.push_back({node.data, node.count, terms_.empty() ? 0 : 1});
  }
  sums_.run(stream, number, terms_, total, count);
}

}  // namespace outerloop::train
