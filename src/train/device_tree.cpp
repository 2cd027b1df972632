#include "train/device_tree.h"

namespace outerloop::train {

void DeviceTree::finish(const exec::DeviceStream& stream, size_t number,
                        std::span<const comm::SlotNode> nodes, std::span<float> total) {
  comm::list_steps(nodes, steps_);
  terms_.clear();
  for (const comm::SumStep& step : steps_) terms_.push_back({step.data, step.additions});
  sums_.run(stream, number, terms_, total);
}

void DeviceTree::add(const exec::DeviceStream& stream, size_t number,
                     std::span<const comm::SlotNode> nodes, std::span<float> total) {
  terms_.clear();
  for (const comm::SlotNode& node : nodes) {
    if (node.present) terms_.push_back({node.data, terms_.empty() ? 0 : 1});
  }
  sums_.run(stream, number, terms_, total);
}

}  // namespace outerloop::train
