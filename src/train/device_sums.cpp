#include "train/device_sums.h"

#include <fmt/format.h>

#include <limits>

#include "outerloop/base/error.h"
#include "outerloop/ops/ops.h"

namespace outerloop::train {
namespace {

// Nodes of one level, side by side.
struct Nodes {
  Expr sums;     // (count, elements)
  Expr present;  // (count, 1)
  int64_t count() const { return sums.shape()[0]; }
  Nodes rows(int64_t first, int64_t end) const {
    return {slice_axis(sums, 0, first, end), slice_axis(present, 0, first, end)};
  }
};

Nodes every_other(const Nodes& nodes, int64_t first) {
  const auto take = [&](Expr x) {
    const int64_t width = x.shape()[1];
    const Expr pairs = reshape(x, Shape{nodes.count() / 2, 2, width});
    return reshape(slice_axis(pairs, 1, first, first + 1), Shape{nodes.count() / 2, width});
  };
  return {take(nodes.sums), take(nodes.present)};
}

// An absent child's parent is the other one.
Nodes parents(const Nodes& children) {
  const Nodes left = every_other(children, 0), right = every_other(children, 1);
  const Expr one = select(right.present, right.sums, left.sums);
  return {select(left.present * right.present, left.sums + right.sums, one),
          maximum(left.present, right.present)};
}

// The roots of the largest aligned subtrees, by rising slot.
std::vector<Nodes> roots_of(Nodes level, int64_t first) {
  std::vector<Nodes> left, right;
  for (; level.count() > 1; first /= 2) {
    int64_t count = level.count();
    if (first % 2 == 1) {  // a right child whose sibling is not here
      left.push_back(level.rows(0, 1));
      level = level.rows(1, count--);
      ++first;
    }
    if (count == 1) break;
    if (count % 2 == 1) {
      right.push_back(level.rows(count - 1, count));
      level = level.rows(0, --count);
    }
    level = parents(level);
  }
  left.push_back(level);
  left.insert(left.end(), right.rbegin(), right.rend());
  return left;
}

Expr is_finite(Expr x) {
  return less(abs(x), full_like(x, std::numeric_limits<double>::infinity()));
}

}  // namespace

Program slot_sums_program(const comm::Range& slots, int64_t elements) {
  const int64_t n = slots.size();
  Builder builder;
  const Expr gradients =
      builder.input("gradients", {DType::f32, Shape{n, elements}}, Binding::per_lane);
  const Expr losses = builder.input("losses", {DType::f32, Shape{n}}, Binding::per_lane);
  const Expr counts = is_finite(losses) * (1.0 - reduce_max(1.0 - is_finite(gradients), {1}));
  builder.output("counts", counts);
  const std::vector<Nodes> roots = roots_of({gradients, reshape(counts, Shape{n, 1})}, slots.first);
  for (size_t r = 0; r < roots.size(); ++r) {
    builder.output(fmt::format("sum/{}", r), reshape(roots[r].sums, Shape{elements}));
    builder.output(fmt::format("present/{}", r), roots[r].present);
  }
  return builder.finish();
}

DeviceSums::DeviceSums(const DevicePlan& plan, const DeviceBatch& batch,
                       const optim::ThetaLayout& layout, const comm::Range& slots)
    : plan_(plan),
      parameters_(layout.entries.size()),
      counts_(static_cast<size_t>(slots.size())),
      bit_sums_(counts_.size() * parameters_),
      roots_(comm::subtree_roots(slots.first, slots.end)),
      sums_(roots_.size(), std::vector<float>(static_cast<size_t>(layout.elements))),
      present_(roots_.size()),
      executable_(exec::cuda::Executable::compile(slot_sums_program(slots, layout.elements),
                                                  plan.shared_device())),
      lanes_(executable_, 1),
      kernel_(plan.shared_device(), ends_of(layout)) {
  const Program& program = executable_->optimised();
  const auto bind = [&](const std::string& name, std::span<std::byte> host) {
    lanes_.bind_output(program.output_index(name), fetched(host).data, 0);
  };
  lanes_.bind_input(program.input_index("gradients"), batch.gradients(), 0);
  lanes_.bind_input(program.input_index("losses"), batch.losses(), 0);
  bind("counts", std::as_writable_bytes(std::span(counts_)));
  for (size_t r = 0; r < roots_.size(); ++r) {
    bind(fmt::format("sum/{}", r), std::as_writable_bytes(std::span(sums_[r])));
    bind(fmt::format("present/{}", r), std::as_writable_bytes(std::span(present_).subspan(r, 1)));
  }
  const exec::DeviceMemory bits = fetched(std::as_writable_bytes(std::span(bit_sums_)));

  exec::Device& device = plan.device();
  device.begin_recording(plan.stream());
  lanes_.run(plan.stream());
  kernel_.run(plan.stream(), slots.size(),
              {batch.gradients(), layout.elements * static_cast<int64_t>(sizeof(float))},
              {bits.data, static_cast<int64_t>(parameters_ * sizeof(LaneSums))});
  graph_ = device.end_recording(plan.stream());
}

exec::DeviceMemory DeviceSums::fetched(std::span<std::byte> host) {
  return copies_.emplace_back(plan_.device().allocate(host.size()), host).memory;
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
    if (nodes_[r].present) nodes_[r].data = sums_[r].data();
  }
  return nodes_;
}

std::span<const LaneSums> DeviceSums::of(int64_t task) const {
  return std::span(bit_sums_).subspan(static_cast<size_t>(task) * parameters_, parameters_);
}

size_t DeviceSums::bytes() const {
  size_t sum = executable_->lane_arena_bytes() + executable_->shared_arena_bytes();
  for (const Copy& copy : copies_) sum += copy.memory.bytes;
  return sum;
}

}  // namespace outerloop::train
