#include "train/device_sums.h"

namespace outerloop::train {

exec::cuda::SlotSums make_slot_sums(const std::shared_ptr<exec::Device>& device,
                                    const comm::Range& slots, const optim::ThetaLayout& layout,
                                    exec::cuda::SlotSums::Sums sums) {
  exec::cuda::SlotSums::Tasks tasks{.levels = {},
                                    .elements = layout.elements,
                                    .parts = static_cast<int64_t>(layout.entries.size())};
  for (const comm::SlotNode& root : comm::subtree_roots(slots.first, slots.end)) {
    tasks.levels.push_back(root.level);
  }
  return {device, tasks, sums};
}

DeviceSums::DeviceSums(const DevicePlan& plan, const DeviceBatch& batch,
                       const optim::ThetaLayout& layout, const comm::Range& slots)
    : plan_(plan),
      parameters_(layout.entries.size()),
      counts_(static_cast<size_t>(slots.size())),
      hashes_(counts_.size() * parameters_),
      roots_(comm::subtree_roots(slots.first, slots.end)),
      present_(roots_.size()),
      bit_sums_(plan.shared_device(), ends_of(layout)),
      slot_sums_(make_slot_sums(plan.shared_device(), slots, layout,
                                exec::cuda::SlotSums::Sums::of_subtrees)),
      finite_(plan.device().allocate(hashes_.size() * sizeof(uint32_t))) {
  exec::cuda::SlotSums::Places places{.gradients = batch.gradients(),
                                      .losses = batch.source("loss"),
                                      .finite = finite_.data,
                                      .counts = fetched(std::as_writable_bytes(std::span(counts_))),
                                      .sums = {},
                                      .numbers = {}};
  for (size_t r = 0; r < roots_.size(); ++r) {
    sums_.push_back(plan.device().allocate(static_cast<size_t>(layout.elements) * sizeof(float)));
    places.sums.push_back(sums_[r].data);
    places.numbers.push_back(fetched(std::as_writable_bytes(std::span(present_).subspan(r, 1))));
  }
  std::byte* const hashes = fetched(std::as_writable_bytes(std::span(hashes_)));

  exec::Device& device = plan.device();
  device.begin_recording(plan.stream());
  const auto words = static_cast<int64_t>(parameters_ * sizeof(uint32_t));
  bit_sums_.run(plan.stream(), slots.size(),
                {batch.gradients(), layout.elements * static_cast<int64_t>(sizeof(float))},
                {hashes, words}, {finite_.data, words});
  slot_sums_.run(plan.stream(), places);
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
