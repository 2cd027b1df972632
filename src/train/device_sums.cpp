#include "train/device_sums.h"

#include <algorithm>

#include "outerloop/train/device_programs.h"

namespace outerloop::train {

DeviceSums::DeviceSums(const DevicePlan& plan, const DeviceBatch& batch,
                       const optim::ThetaLayout& layout, const comm::Range& slots)
    : plan_(plan),
      parameters_(layout.entries.size()),
      counts_(static_cast<size_t>(slots.size())),
      hashes_(counts_.size() * parameters_),
      slots_(slots),
      roots_(comm::subtree_roots(slots.first, slots.end)),
      // In one block, vectors would wait for its few threads.
      executable_(
          exec::cuda::Executable::compile(slot_counts_program(slots.size(), layout.elements),
                                          plan.shared_device(), {}, exec::cuda::Steps::one_by_one)),
      lanes_(executable_, 1),
      kernel_(plan.shared_device(), ends_of(layout)) {
  const Program& program = executable_->optimised();
  std::byte* const counts = fetched(std::as_writable_bytes(std::span(counts_)));
  count_ = plan.device().allocate(sizeof(float));
  lanes_.bind_input(program.input_index("gradients"), batch.gradients(), 0);
  lanes_.bind_input(program.input_index("losses"), batch.source("loss"), 0);
  lanes_.bind_output(program.output_index("counts"), counts, 0);
  lanes_.bind_output(program.output_index("count"), count_.data, 0);
  const int64_t vector_bytes = layout.elements * static_cast<int64_t>(sizeof(float));
  for (const comm::SlotNode& root : roots_) {
    sums_.push_back(plan.device().allocate(static_cast<size_t>(vector_bytes)));
    trees_.emplace_back(plan.shared_device(), tasks_of(root).size(), layout.elements);
  }
  std::byte* const hashes = fetched(std::as_writable_bytes(std::span(hashes_)));

  exec::Device& device = plan.device();
  device.begin_recording(plan.stream());
  lanes_.run(plan.stream());
  for (size_t r = 0; r < roots_.size(); ++r) {
    const int64_t first = tasks_of(roots_[r]).first;
    trees_[r].run(plan.stream(), batch.gradients() + first * vector_bytes,
                  counts + first * static_cast<int64_t>(sizeof(float)), sums_[r].data);
  }
  kernel_.run(plan.stream(), slots.size(), {batch.gradients(), vector_bytes},
              {hashes, static_cast<int64_t>(parameters_ * sizeof(uint32_t))});
  graph_ = device.end_recording(plan.stream());
}

comm::Range DeviceSums::tasks_of(const comm::SlotNode& root) const {
  const int64_t size = int64_t{1} << root.level;
  const int64_t first = root.index * size - slots_.first;
  return {first, first + size};
}

std::byte* DeviceSums::fetched(std::span<std::byte> host) {
  return copies_.emplace_back(plan_.device().allocate(host.size()), host).memory.data;
}

void DeviceSums::run() {
  exec::Device& device = plan_.device();
  device.launch(plan_.stream(), graph_);
  for (const Copy& copy : copies_) device.download(plan_.stream(), copy.host, copy.memory.data);
}

std::span<const comm::SlotNode> DeviceSums::nodes() {
  nodes_ = roots_;
  for (size_t r = 0; r < nodes_.size(); ++r) {
    const comm::Range tasks = tasks_of(nodes_[r]);
    const auto own = std::span(counts_).subspan(static_cast<size_t>(tasks.first),
                                                static_cast<size_t>(tasks.size()));
    nodes_[r].present = std::ranges::any_of(own, [](float count) { return count != 0; });
    if (nodes_[r].present) nodes_[r].data = reinterpret_cast<float*>(sums_[r].data);
  }
  return nodes_;
}

std::span<const uint32_t> DeviceSums::hashes(int64_t task) const {
  return std::span(hashes_).subspan(static_cast<size_t>(task) * parameters_, parameters_);
}

}  // namespace outerloop::train
