// Sums, maxima and their adjoint, repetition along axes.

#include "outerloop/ops/reduce.h"

#include <algorithm>

#include "ops/rules.h"

namespace outerloop {
namespace rules {
namespace {

// ---- Reductions ----

Types reduce_types(TypeSpan inputs, const Attributes& attributes) {
  require_floating(inputs[0], "the argument");
  const Shape& shape = inputs[0].shape;
  const Axes& axes = attributes.integers("axes");
  require(normalised(axes, shape.rank()) == axes, "axes [{}] must rise from 0",
          fmt::join(axes, ", "));
  Shape result;
  for (int64_t axis : other_axes(shape.rank(), axes)) result.append(shape[static_cast<int>(axis)]);
  return {{inputs[0].dtype, result}};
}

// A value of the reduced shape, repeated along the reduced axes of the input.
Expr spread(const Equation& equation, Expr reduced, Expr input) {
  const Axes& axes = equation.attributes.integers("axes");
  return broadcast_in_dim(reduced, input.shape(), other_axes(input.shape().rank(), axes));
}

std::vector<Expr> sum_vjp(const VjpArguments& a) {
  return {spread(a.equation, a.cotangent, a.inputs[0])};
}

// Equal shares for all elements that attain the maximum.
Expr max_shares(const Equation& equation, Expr input, Expr output) {
  const Expr mask = equal(input, spread(equation, output, input));
  const Expr count = sum(mask, equation.attributes.integers("axes"));
  return mask / spread(equation, count, input);
}
std::vector<Expr> max_vjp(const VjpArguments& a) {
  const Expr shares = max_shares(a.equation, a.inputs[0], a.output);
  return {spread(a.equation, a.cotangent, a.inputs[0]) * shares};
}
Expr max_jvp(const JvpArguments& a) {
  const Expr shares = max_shares(a.equation, a.inputs[0], a.output);
  return sum(a.tangents[0] * shares, a.equation.attributes.integers("axes"));
}

std::vector<OpSample> reduce_samples() {
  std::vector<OpSample> samples;
  const auto sample = [&](Shape shape, Axes axes) {
    samples.push_back({.inputs = {f32(shape)},
                       .attributes = {{"axes", std::move(axes)}},
                       .low = -2,
                       .high = 2,
                       .margin = 0.05});
  };
  sample({3, 5}, {0});
  sample({3, 5}, {1});
  sample({3, 5}, {0, 1});
  sample({2, 3, 4}, {0, 2});
  sample({2, 3, 4}, {1});
  sample({2, 1, 3}, {1});
  sample({37}, {0});
  return samples;
}

// ---- Broadcast ----

Types broadcast_types(TypeSpan inputs, const Attributes& attributes) {
  require_floating(inputs[0], "the argument");
  const Shape& from = inputs[0].shape;
  const Shape to = attributes.shape("shape");
  const Axes& axes = attributes.integers("axes");
  require(static_cast<int>(axes.size()) == from.rank() && normalised(axes, to.rank()) == axes,
          "axes [{}] must name a place in {} for each axis of {}", fmt::join(axes, ", "),
          to_string(to), to_string(from));
  for (int i = 0; i < from.rank(); ++i) {
    require(from[i] == to[static_cast<int>(axes[static_cast<size_t>(i)])],
            "{} does not fit {} at axes [{}]", to_string(from), to_string(to),
            fmt::join(axes, ", "));
  }
  return {{inputs[0].dtype, to}};
}

std::vector<Expr> broadcast_vjp(const VjpArguments& a) {
  const int rank = a.output.shape().rank();
  return {sum(a.cotangent, other_axes(rank, a.equation.attributes.integers("axes")))};
}

std::vector<OpSample> broadcast_samples() {
  return {
      {.inputs = {f32({4})}, .attributes = {{"shape", Axes{3, 4}}, {"axes", Axes{1}}}},
      {.inputs = {f32({3})}, .attributes = {{"shape", Axes{3, 4}}, {"axes", Axes{0}}}},
      {.inputs = {f32({})}, .attributes = {{"shape", Axes{3, 4}}, {"axes", Axes{}}}},
      {.inputs = {f32({2, 4})}, .attributes = {{"shape", Axes{2, 3, 4}}, {"axes", Axes{0, 2}}}}};
}

}  // namespace
}  // namespace rules

namespace ops {

constinit const OpDef sum{.name = "sum",
                          .arity = 1,
                          .group = OpGroup::reduction,
                          .infer = rules::reduce_types,
                          .vjp = rules::sum_vjp,
                          .jvp = rules::linear_jvp,
                          .flops = rules::one_flop_per_input,
                          .samples = rules::reduce_samples};
constinit const OpDef reduce_max{.name = "reduce_max",
                                 .arity = 1,
                                 .group = OpGroup::reduction,
                                 .infer = rules::reduce_types,
                                 .vjp = rules::max_vjp,
                                 .jvp = rules::max_jvp,
                                 .flops = rules::one_flop_per_input,
                                 .samples = rules::reduce_samples};
constinit const OpDef broadcast{.name = "broadcast",
                                .arity = 1,
                                .group = OpGroup::broadcast,
                                .infer = rules::broadcast_types,
                                .vjp = rules::broadcast_vjp,
                                .jvp = rules::linear_jvp,
                                .flops = rules::no_flops,
                                .samples = rules::broadcast_samples};

}  // namespace ops

namespace {

Axes all_axes(Expr x) {
  return rules::other_axes(x.shape().rank(), {});
}

Expr reduce(const OpDef& op, Expr x, const Axes& axes) {
  if (axes.empty()) return x;
  return x.builder().apply(op, {x}, {{"axes", rules::normalised(axes, x.shape().rank())}});
}

Expr keep(Expr reduced, Expr x, const Axes& axes) {
  return expand_dims(reduced, rules::normalised(axes, x.shape().rank()));
}

}  // namespace

Expr sum(Expr x, const Axes& axes) {
  return reduce(ops::sum, x, axes);
}
Expr sum(Expr x) {
  return sum(x, all_axes(x));
}
Expr reduce_max(Expr x, const Axes& axes) {
  return reduce(ops::reduce_max, x, axes);
}
Expr reduce_max(Expr x) {
  return reduce_max(x, all_axes(x));
}
Expr mean(Expr x, const Axes& axes) {
  const Expr total = sum(x, axes);
  return total * (static_cast<double>(total.shape().elements()) /
                  static_cast<double>(x.shape().elements()));
}
Expr mean(Expr x) {
  return mean(x, all_axes(x));
}
Expr sum_keep(Expr x, const Axes& axes) {
  return keep(sum(x, axes), x, axes);
}
Expr mean_keep(Expr x, const Axes& axes) {
  return keep(mean(x, axes), x, axes);
}
Expr reduce_max_keep(Expr x, const Axes& axes) {
  return keep(reduce_max(x, axes), x, axes);
}

Shape common_shape(const Shape& a, const Shape& b) {
  Shape result;
  const int rank = std::max(a.rank(), b.rank());
  for (int axis = 0; axis < rank; ++axis) {
    const auto extent = [&](const Shape& s) {
      const int own = axis - (rank - s.rank());
      return own < 0 ? 1 : s[own];
    };
    const int64_t left = extent(a), right = extent(b);
    rules::require(left == right || left == 1 || right == 1,
                   "shapes {} and {} cannot be stretched to one shape", to_string(a), to_string(b));
    result.append(left == 1 ? right : left);
  }
  return result;
}

Expr broadcast_in_dim(Expr x, const Shape& shape, const Axes& axes) {
  if (x.shape() == shape) return x;
  const auto extents = shape.extents();
  return x.builder().apply(ops::broadcast, {x},
                           {{"shape", Axes(extents.begin(), extents.end())}, {"axes", axes}});
}

Expr broadcast_to(Expr x, const Shape& shape) {
  const Shape& from = x.shape();
  if (from == shape) return x;
  rules::require(common_shape(from, shape) == shape, "{} cannot be stretched to {}",
                 to_string(from), to_string(shape));
  // Axes that repeat are dropped, the others keep their place.
  Shape kept;
  Axes axes;
  for (int i = 0; i < from.rank(); ++i) {
    const int axis = i + shape.rank() - from.rank();
    if (from[i] != shape[axis]) continue;
    kept.append(from[i]);
    axes.push_back(axis);
  }
  return broadcast_in_dim(reshape(x, kept), shape, axes);
}

}  // namespace outerloop
