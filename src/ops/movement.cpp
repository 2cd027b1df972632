// Ops that move elements and compute nothing. Each is linear in its one floating argument (concat:
// in all), and its adjoint is another of them.

#include <algorithm>

#include "ops/rules.h"

namespace outerloop {
namespace rules {
namespace {

// ---- Reshape and transpose ----

Types reshape_types(TypeSpan inputs, const Attributes& attributes) {
  const Shape shape = attributes.shape("shape");
  require(shape.elements() == inputs[0].shape.elements(), "{} has not as many elements as {}",
          to_string(inputs[0].shape), to_string(shape));
  return {{inputs[0].dtype, shape}};
}
std::vector<Expr> reshape_vjp(const VjpArguments& a) {
  return {reshape(a.cotangent, a.inputs[0].shape())};
}
std::vector<OpSample> reshape_samples() {
  return {{.inputs = {f32({2, 6})}, .attributes = {{"shape", Axes{3, 4}}}},
          {.inputs = {f32({1})}, .attributes = {{"shape", Axes{}}}},
          {.inputs = {i32({4})}, .attributes = {{"shape", Axes{2, 2}}}, .index_limit = 9}};
}

Types transpose_types(TypeSpan inputs, const Attributes& attributes) {
  const Shape& shape = inputs[0].shape;
  const Axes& permutation = attributes.integers("permutation");
  require(static_cast<int>(permutation.size()) == shape.rank() &&
              normalised(permutation, shape.rank()) == other_axes(shape.rank(), {}),
          "[{}] is no permutation of the axes of {}", fmt::join(permutation, ", "),
          to_string(shape));
  Shape result;
  for (int64_t axis : permutation) result.append(shape[static_cast<int>(axis)]);
  return {{inputs[0].dtype, result}};
}
std::vector<Expr> transpose_vjp(const VjpArguments& a) {
  const Axes& permutation = a.equation.attributes.integers("permutation");
  Axes inverse(permutation.size());
  for (size_t i = 0; i < permutation.size(); ++i) {
    inverse[static_cast<size_t>(permutation[i])] = static_cast<int64_t>(i);
  }
  return {transpose(a.cotangent, inverse)};
}
std::vector<OpSample> transpose_samples() {
  return {{.inputs = {f32({3, 4})}, .attributes = {{"permutation", Axes{1, 0}}}},
          {.inputs = {f32({2, 3, 4})}, .attributes = {{"permutation", Axes{2, 0, 1}}}}};
}

// ---- Slice and pad ----

struct SliceAttributes {
  const Axes &starts, &limits, &strides;
  explicit SliceAttributes(const Attributes& a)
      : starts(a.integers("starts")),
        limits(a.integers("limits")),
        strides(a.integers("strides")) {}
};

Types slice_types(TypeSpan inputs, const Attributes& attributes) {
  const Shape& shape = inputs[0].shape;
  const auto [starts, limits, strides] = SliceAttributes(attributes);
  const auto rank = static_cast<size_t>(shape.rank());
  require(starts.size() == rank && limits.size() == rank && strides.size() == rank,
          "starts, limits and strides must have one entry per axis of {}", to_string(shape));
  Shape result;
  for (size_t i = 0; i < rank; ++i) {
    require(0 <= starts[i] && starts[i] <= limits[i] && limits[i] <= shape[static_cast<int>(i)] &&
                strides[i] > 0,
            "axis {} of {} has no elements {}, {}, … below {}", i, to_string(shape), starts[i],
            starts[i] + strides[i], limits[i]);
    result.append((limits[i] - starts[i] + strides[i] - 1) / strides[i]);
  }
  return {{inputs[0].dtype, result}};
}
std::vector<Expr> slice_vjp(const VjpArguments& a) {
  const auto [starts, limits, strides] = SliceAttributes(a.equation.attributes);
  if (a.cotangent.shape().elements() == 0) return {Expr{}};
  Axes high, interior;
  for (size_t i = 0; i < starts.size(); ++i) {
    const int axis = static_cast<int>(i);
    const int64_t last = starts[i] + (a.cotangent.shape()[axis] - 1) * strides[i];
    high.push_back(a.inputs[0].shape()[axis] - 1 - last);
    interior.push_back(strides[i] - 1);
  }
  return {pad(a.cotangent, starts, high, interior)};
}
std::vector<OpSample> slice_samples() {
  std::vector<OpSample> samples;
  const auto sample = [&](Axes starts, Axes limits, Axes strides) {
    samples.push_back(
        {.inputs = {f32({4, 7})},
         .attributes = {{"starts", starts}, {"limits", limits}, {"strides", strides}}});
  };
  sample({1, 2}, {3, 5}, {1, 1});
  sample({0, 1}, {4, 7}, {2, 3});
  sample({0, 0}, {4, 7}, {1, 1});
  return samples;
}

Types pad_types(TypeSpan inputs, const Attributes& attributes) {
  const Shape& shape = inputs[0].shape;
  const auto rank = static_cast<size_t>(shape.rank());
  require_floating(inputs[0], "the argument");
  const Axes& low = attributes.integers("low");
  const Axes& high = attributes.integers("high");
  const Axes& interior = attributes.integers("interior");
  require(low.size() == rank && high.size() == rank && interior.size() == rank,
          "low, high and interior must have one entry per axis of {}", to_string(shape));
  Shape result;
  for (size_t i = 0; i < rank; ++i) {
    require(low[i] >= 0 && high[i] >= 0 && interior[i] >= 0, "axis {} is padded by {}, {}, {}", i,
            low[i], high[i], interior[i]);
    const int64_t extent = shape[static_cast<int>(i)];
    result.append(low[i] + extent + std::max<int64_t>(extent - 1, 0) * interior[i] + high[i]);
  }
  return {{inputs[0].dtype, result}};
}
std::vector<Expr> pad_vjp(const VjpArguments& a) {
  const Axes& low = a.equation.attributes.integers("low");
  const Axes& interior = a.equation.attributes.integers("interior");
  const Shape& shape = a.inputs[0].shape();
  if (shape.elements() == 0) return {Expr{}};
  Axes limits, strides;
  for (size_t i = 0; i < low.size(); ++i) {
    strides.push_back(interior[i] + 1);
    limits.push_back(low[i] + (shape[static_cast<int>(i)] - 1) * strides[i] + 1);
  }
  return {slice(a.cotangent, low, limits, strides)};
}
std::vector<OpSample> pad_samples() {
  std::vector<OpSample> samples;
  const auto sample = [&](Axes low, Axes high, Axes interior) {
    samples.push_back({.inputs = {f32({3, 4})},
                       .attributes = {{"low", low}, {"high", high}, {"interior", interior}}});
  };
  sample({1, 0}, {1, 2}, {0, 0});
  sample({1, 0}, {0, 1}, {1, 2});
  return samples;
}

// ---- Concat ----

Types concat_types(TypeSpan inputs, const Attributes& attributes) {
  require(!inputs.empty(), "there is nothing to join");
  Shape result = inputs[0].shape;
  const int64_t axis = attributes.integer("axis");
  require(axis >= 0 && axis < result.rank(), "axis {} is outside {}", axis, to_string(result));
  for (const TensorType& input : inputs.subspan(1)) {
    TensorType expected{inputs[0].dtype, inputs[0].shape};
    const int place = static_cast<int>(axis);
    if (input.shape.rank() == result.rank()) expected.shape[place] = input.shape[place];
    require(input == expected, "{} and {} cannot be joined along axis {}", to_string(inputs[0]),
            to_string(input), axis);
    result[place] += input.shape[place];
  }
  return {{inputs[0].dtype, result}};
}
std::vector<Expr> concat_vjp(const VjpArguments& a) {
  const int64_t axis = a.equation.attributes.integer("axis");
  std::vector<Expr> parts;
  int64_t start = 0;
  for (size_t i = 0; i < a.inputs.size(); ++i) {
    const int64_t limit = start + a.inputs[i].shape()[static_cast<int>(axis)];
    parts.push_back(a.needed[i] ? slice_axis(a.cotangent, axis, start, limit) : Expr{});
    start = limit;
  }
  return parts;
}
Expr concat_jvp(const JvpArguments& a) {
  std::vector<Expr> parts(a.tangents.begin(), a.tangents.end());
  for (size_t i = 0; i < parts.size(); ++i) {
    if (!parts[i].valid()) parts[i] = zeros_like(a.inputs[i]);
  }
  return concat(parts, a.equation.attributes.integer("axis"));
}
std::vector<OpSample> concat_samples() {
  return {{.inputs = {f32({2, 3}), f32({1, 3}), f32({3, 3})}, .attributes = {{"axis", int64_t{0}}}},
          {.inputs = {f32({3, 2}), f32({3, 3})}, .attributes = {{"axis", int64_t{1}}}}};
}

constexpr OpDef movement(std::string_view name, int arity, TypeRule infer, VjpRule vjp, JvpRule jvp,
                         std::vector<OpSample> (*samples)()) {
  return {.name = name,
          .arity = arity,
          .group = OpGroup::movement,
          .infer = infer,
          .vjp = vjp,
          .jvp = jvp,
          .flops = no_flops,
          .samples = samples};
}

}  // namespace
}  // namespace rules

namespace ops {

using namespace rules;

constinit const OpDef reshape =
    movement("reshape", 1, reshape_types, reshape_vjp, linear_jvp, reshape_samples);
constinit const OpDef transpose =
    movement("transpose", 1, transpose_types, transpose_vjp, linear_jvp, transpose_samples);
constinit const OpDef slice =
    movement("slice", 1, slice_types, slice_vjp, linear_jvp, slice_samples);
constinit const OpDef pad = movement("pad", 1, pad_types, pad_vjp, linear_jvp, pad_samples);
constinit const OpDef concat =
    movement("concat", -1, concat_types, concat_vjp, concat_jvp, concat_samples);

}  // namespace ops

namespace {

Axes or_all(const Axes& values, Expr x, int64_t value) {
  return values.empty() ? Axes(static_cast<size_t>(x.shape().rank()), value) : values;
}

bool all_are(const Axes& values, int64_t value) {
  return std::ranges::all_of(values, [value](int64_t v) { return v == value; });
}

}  // namespace

Expr reshape(Expr x, const Shape& shape) {
  if (x.shape() == shape) return x;
  const auto extents = shape.extents();
  return x.builder().apply(ops::reshape, {x}, {{"shape", Axes(extents.begin(), extents.end())}});
}

Expr expand_dims(Expr x, const Axes& axes) {
  const int rank = x.shape().rank() + static_cast<int>(axes.size());
  const Axes places = rules::normalised(axes, rank);
  Shape shape;
  int own = 0;
  for (int64_t axis = 0; axis < rank; ++axis) {
    const bool inserted = std::ranges::find(places, axis) != places.end();
    shape.append(inserted ? 1 : x.shape()[own++]);
  }
  return reshape(x, shape);
}

Expr transpose(Expr x, const Axes& permutation) {
  Axes axes = permutation;
  for (int64_t& axis : axes) axis = rules::normalised(axis, x.shape().rank());
  if (axes == rules::other_axes(x.shape().rank(), {})) return x;
  return x.builder().apply(ops::transpose, {x}, {{"permutation", axes}});
}

Expr transpose(Expr x) {
  const auto rank = static_cast<size_t>(x.shape().rank());
  rules::require(rank >= 2, "[transpose] needs two axes, got {}", to_string(x.shape()));
  Axes permutation = rules::other_axes(static_cast<int>(rank), {});
  std::swap(permutation[rank - 1], permutation[rank - 2]);
  return transpose(x, permutation);
}

Expr slice(Expr x, const Axes& starts, const Axes& limits, const Axes& strides) {
  const Axes steps = or_all(strides, x, 1);
  const Shape shape = x.shape();
  const auto extents = shape.extents();
  if (all_are(starts, 0) && std::ranges::equal(limits, extents) && all_are(steps, 1)) return x;
  return x.builder().apply(ops::slice, {x},
                           {{"starts", starts}, {"limits", limits}, {"strides", steps}});
}

Expr slice_axis(Expr x, int64_t axis, int64_t start, int64_t limit) {
  const auto place = static_cast<size_t>(rules::normalised(axis, x.shape().rank()));
  const Shape shape = x.shape();
  const auto extents = shape.extents();
  Axes starts(extents.size(), 0), limits(extents.begin(), extents.end());
  starts[place] = start;
  limits[place] = limit;
  return slice(x, starts, limits);
}

Expr pad(Expr x, const Axes& low, const Axes& high, const Axes& interior) {
  const Axes between = or_all(interior, x, 0);
  if (all_are(low, 0) && all_are(high, 0) && all_are(between, 0)) return x;
  return x.builder().apply(ops::pad, {x}, {{"low", low}, {"high", high}, {"interior", between}});
}

Expr concat(std::span<const Expr> parts, int64_t axis) {
  rules::require(!parts.empty(), "[concat] there is nothing to join");
  if (parts.size() == 1) return parts[0];
  const int64_t place = rules::normalised(axis, parts[0].shape().rank());
  return parts[0].builder().apply(ops::concat, parts, {{"axis", place}});
}

Expr concat(std::initializer_list<Expr> parts, int64_t axis) {
  return concat(std::span<const Expr>(parts.begin(), parts.size()), axis);
}

}  // namespace outerloop
