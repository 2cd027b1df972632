#include "train/device_sums.h"

namespace outerloop::train {
namespace {

using exec::cuda::SlotSums;

// Of a line of a cache: sums start on their own.
constexpr size_t kLineFloats = 64 / sizeof(float);

}  // namespace

SlotSums make_slot_sums(const std::shared_ptr<exec::Device>& device, const comm::Range& slots,
                        const optim::ThetaLayout& layout, SlotSums::Sums sums) {
  SlotSums::Tasks tasks{.levels = {},
                        .elements = layout.elements,
                        .parts = static_cast<int64_t>(layout.entries.size())};
  for (const comm::SlotNode& root : comm::subtree_roots(slots.first, slots.end)) {
    tasks.levels.push_back(root.level);
  }
  return {device, tasks, sums};
}

DeviceSums::DeviceSums(const DevicePlan& plan, const DeviceBatch& batch,
                       const optim::ThetaLayout& layout, const comm::Range& slots, float* total)
    : plan_(plan),
      batch_(batch),
      tasks_(slots.size()),
      parameters_(layout.entries.size()),
      gradient_bytes_(static_cast<size_t>(layout.elements) * sizeof(float)),
      counts_(static_cast<size_t>(tasks_)),
      hashes_(counts_.size() * parameters_),
      device_counts_(plan.device().allocate(counts_.size() * sizeof(float))),
      device_hashes_(plan.device().allocate(hashes_.size() * sizeof(uint32_t))),
      finite_(plan.device().allocate(device_hashes_.bytes)),
      bit_sums_(plan.shared_device(), ends_of(layout)),
      slot_sums_(
          make_slot_sums(plan.shared_device(), slots, layout,
                         total != nullptr ? SlotSums::Sums::of_all : SlotSums::Sums::of_subtrees)) {
  const auto elements = static_cast<size_t>(layout.elements);
  nodes_ = comm::subtree_roots(slots.first, slots.end);
  if (total != nullptr) {
    nodes_ = {{.level = nodes_.front().level, .data = total, .count = total + elements}};
  } else {
    const size_t stride = (elements + kLineFloats - 1) / kLineFloats * kLineFloats;
    sums_ = plan.device().allocate(nodes_.size() * stride * sizeof(float));
    sum_counts_ = plan.device().allocate(nodes_.size() * sizeof(float));
    for (size_t n = 0; n < nodes_.size(); ++n) {
      nodes_[n].data = reinterpret_cast<float*>(sums_.data) + n * stride;
      nodes_[n].count = reinterpret_cast<float*>(sum_counts_.data) + n;
    }
  }
  for (comm::SlotNode& node : nodes_) node.present = true;
  plan.device().begin_recording(plan.stream());
  launch();
  graph_ = plan.device().end_recording(plan.stream());
}

void DeviceSums::launch() {
  const auto words = static_cast<int64_t>(parameters_ * sizeof(uint32_t));
  bit_sums_.run(plan_.stream(), tasks_, {batch_.gradients(), static_cast<int64_t>(gradient_bytes_)},
                {device_hashes_.data, words}, {finite_.data, words});
  SlotSums::Places places{.gradients = batch_.gradients(),
                          .losses = batch_.source("loss"),
                          .finite = finite_.data,
                          .counts = device_counts_.data,
                          .sums = {},
                          .numbers = {}};
  for (const comm::SlotNode& node : nodes_) {
    places.sums.push_back(reinterpret_cast<std::byte*>(node.data));
    places.numbers.push_back(reinterpret_cast<std::byte*>(const_cast<float*>(node.count)));
  }
  slot_sums_.run(plan_.stream(), places);
}

void DeviceSums::run() {
  exec::Device& device = plan_.device();
  device.launch(plan_.stream(), graph_);
  device.download(plan_.stream(), std::as_writable_bytes(std::span(counts_)), device_counts_.data);
  device.download(plan_.stream(), std::as_writable_bytes(std::span(hashes_)), device_hashes_.data);
}

std::span<const uint32_t> DeviceSums::hashes(int64_t task) const {
  return std::span(hashes_).subspan(static_cast<size_t>(task) * parameters_, parameters_);
}

}  // namespace outerloop::train
