#include "outerloop/train/device_programs.h"

#include <fmt/format.h>

#include <limits>
#include <map>
#include <vector>

#include "outerloop/ops/ops.h"
#include "outerloop/optim/outer.h"

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
Nodes parent(const Nodes& left, const Nodes& right) {
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
    level = parent(every_other(level, 0), every_other(level, 1));
  }
  left.push_back(level);
  left.insert(left.end(), right.rbegin(), right.rend());
  return left;
}

Expr is_finite(Expr x) {
  return less(abs(x), full_like(x, std::numeric_limits<double>::infinity()));
}

// The slots themselves, with the inputs and the output that all such programs have.
Nodes leaves(Builder& builder, int64_t n, int64_t elements) {
  const Expr gradients =
      builder.input("gradients", {DType::f32, Shape{n, elements}}, Binding::per_lane);
  const Expr losses = builder.input("losses", {DType::f32, Shape{n}}, Binding::per_lane);
  const Expr counts = is_finite(losses) * (1.0 - reduce_max(1.0 - is_finite(gradients), {1}));
  builder.output("counts", counts);
  return {gradients, reshape(counts, Shape{n, 1})};
}

// Of a vector: in two steps, of which the first has many threads.
Expr all_finite(Expr x) {
  const Shape table{x.shape()[0] / optim::kThetaAlignment, optim::kThetaAlignment};
  return 1.0 - reduce_max(reduce_max(reshape(1.0 - is_finite(x), table), {1}));
}

}  // namespace

Program slot_sums_program(const comm::Range& slots, int64_t elements) {
  Builder builder;
  const std::vector<Nodes> roots = roots_of(leaves(builder, slots.size(), elements), slots.first);
  for (size_t r = 0; r < roots.size(); ++r) {
    builder.output(fmt::format("sum/{}", r), reshape(roots[r].sums, Shape{elements}));
    builder.output(fmt::format("present/{}", r), roots[r].present);
  }
  return builder.finish();
}

Program slot_total_program(int64_t n, int64_t elements) {
  Builder builder;
  const Nodes slots = leaves(builder, n, elements);
  const std::vector<Nodes> roots = roots_of(slots, 0);
  // What has no right sibling is its own parent.
  Nodes total = roots.back();
  for (size_t r = roots.size() - 1; r-- > 0;) total = parent(roots[r], total);
  builder.output("sum", reshape(total.sums, Shape{elements}));
  builder.output("count", sum(slots.present));
  return builder.finish();
}

Program guarded_update_program(const config::Outer& config, int64_t elements) {
  const optim::OuterPlan plan = optim::make_outer_plan(config, elements);
  const Program& update = *plan.update;
  Builder builder;
  const auto input = [&](const std::string& name, const TensorType& type) {
    return builder.input(name, type, Binding::per_lane);
  };
  const Expr sum = input("sum", {DType::f32, Shape{elements}});
  const Expr count = input("count", {DType::f32, {}});
  const Expr mean = sum * (1.0 / count);
  std::map<std::string, Expr> inputs{{"gradient", mean}};
  std::vector<Expr> arguments;
  for (const ProgramInput& in : update.inputs) {
    if (in.name != "gradient") inputs[in.name] = input(in.name, update.type(in.value));
    arguments.push_back(inputs.at(in.name));
  }
  const std::vector<Expr> results = builder.inline_program(update, arguments);
  // Clipping would make a finite step of an infinite gradient.
  Expr made = all_finite(mean);
  for (const Expr& result : results) made = made * all_finite(result);
  for (size_t o = 0; o < results.size(); ++o) {
    const std::string& name = update.outputs[o].name;
    builder.output(name, select(made, results[o], inputs.at(name)));
  }
  builder.output("made", made);
  return builder.finish();
}

}  // namespace outerloop::train
