#include "train/device_sums.h"

#include <fmt/format.h>

#include "outerloop/train/device_programs.h"

namespace outerloop::train {

DeviceSums::DeviceSums(const DevicePlan& plan, const DeviceBatch& batch,
                       const optim::ThetaLayout& layout, const comm::Range& slots)
    : plan_(plan),
      parameters_(layout.entries.size()),
      counts_(static_cast<size_t>(slots.size())),
      hashes_(counts_.size() * parameters_),
      roots_(comm::subtree_roots(slots.first, slots.end)),
      present_(roots_.size()),
      // In one block, vectors would wait for its few threads.
      executable_(exec::cuda::Executable::compile(slot_sums_program(slots, layout.elements),
                                                  plan.shared_device(), {},
                                                  exec::cuda::Steps::one_by_one)),
      lanes_(executable_, 1),
      kernel_(plan.shared_device(), ends_of(layout)) {
  const Program& program = executable_->optimised();
  const auto bind = [&](const std::string& name, std::byte* place) {
    lanes_.bind_output(program.output_index(name), place, 0);
  };
  lanes_.bind_input(program.input_index("gradients"), batch.gradients(), 0);
  lanes_.bind_input(program.input_index("losses"), batch.source("loss"), 0);
  bind("counts", fetched(std::as_writable_bytes(std::span(counts_))));
  for (size_t r = 0; r < roots_.size(); ++r) {
    sums_.push_back(plan.device().allocate(static_cast<size_t>(layout.elements) * sizeof(float)));
    bind(fmt::format("sum/{}", r), sums_[r].data);
    bind(fmt::format("present/{}", r),
         fetched(std::as_writable_bytes(std::span(present_).subspan(r, 1))));
  }
  std::byte* const hashes = fetched(std::as_writable_bytes(std::span(hashes_)));

  exec::Device& device = plan.device();
  device.begin_recording(plan.stream());
  lanes_.run(plan.stream());
  kernel_.run(plan.stream(), slots.size(),
              {batch.gradients(), layout.elements * static_cast<int64_t>(sizeof(float))},
              {hashes, static_cast<int64_t>(parameters_ * sizeof(uint32_t))});
  graph_ = device.end_recording(plan.stream());
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
    nodes_[r].present = present_[r] != 0;
    if (nodes_[r].present) nodes_[r].data = reinterpret_cast<float*>(sums_[r].data);
  }
  return nodes_;
}

std::span<const uint32_t> DeviceSums::hashes(int64_t task) const {
  return std::span(hashes_).subspan(static_cast<size_t>(task) * parameters_, parameters_);
}

}  // namespace outerloop::train
