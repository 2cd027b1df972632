// Ops in which an int32 argument says where. They come in adjoint pairs: what one reads, the other
// adds back.

#include "ops/rules.h"

namespace outerloop {
namespace rules {
namespace {

int64_t extent(const TensorType& type, int64_t axis) {
  return type.shape[static_cast<int>(axis)];
}

void require_axis(const TensorType& type, int64_t axis) {
  require(axis >= 0 && axis < type.shape.rank(), "axis {} is outside {}", axis, to_string(type));
}

// The gradient of the first input; the indices have none.
std::vector<Expr> first(Expr gradient) {
  return {gradient, Expr{}};
}

// ---- Along an axis ----

Types gather_types(TypeSpan inputs, const Attributes& attributes) {
  const int64_t axis = attributes.integer("axis");
  require_floating(inputs[0], "the argument");
  require_axis(inputs[0], axis);
  require_indices(inputs[1], "the indices");
  require_rank(inputs[1], 1, "the indices");
  TensorType result = inputs[0];
  result.shape[static_cast<int>(axis)] = extent(inputs[1], 0);
  return {result};
}
std::vector<Expr> gather_vjp(const VjpArguments& a) {
  const int64_t axis = a.equation.attributes.integer("axis");
  return first(scatter_add(a.cotangent, a.inputs[1], axis, extent(a.inputs[0].type(), axis)));
}

Types scatter_add_types(TypeSpan inputs, const Attributes& attributes) {
  const int64_t axis = attributes.integer("axis");
  require_floating(inputs[0], "the argument");
  require_axis(inputs[0], axis);
  require_indices(inputs[1], "the indices");
  require_rank(inputs[1], 1, "the indices");
  require(extent(inputs[0], axis) == extent(inputs[1], 0),
          "{} updates along axis {} need as many indices, got {}", extent(inputs[0], axis), axis,
          extent(inputs[1], 0));
  TensorType result = inputs[0];
  result.shape[static_cast<int>(axis)] = attributes.integer("extent");
  return {result};
}
std::vector<Expr> scatter_add_vjp(const VjpArguments& a) {
  return first(gather(a.cotangent, a.inputs[1], a.equation.attributes.integer("axis")));
}

std::vector<OpSample> gather_samples() {
  return {
      {.inputs = {f32({5, 3}), i32({6})}, .attributes = {{"axis", int64_t{0}}}, .index_limit = 5},
      {.inputs = {f32({5, 3}), i32({4})}, .attributes = {{"axis", int64_t{1}}}, .index_limit = 3}};
}
std::vector<OpSample> scatter_add_samples() {
  return {{.inputs = {f32({6, 3}), i32({6})},
           .attributes = {{"axis", int64_t{0}}, {"extent", int64_t{5}}},
           .index_limit = 5},
          {.inputs = {f32({2, 4, 3}), i32({4})},
           .attributes = {{"axis", int64_t{1}}, {"extent", int64_t{2}}},
           .index_limit = 2}};
}

// ---- One per row ----

Types take_per_row_types(TypeSpan inputs, const Attributes&) {
  require_floating(inputs[0], "the argument");
  require_rank(inputs[0], 2, "the argument");
  require_indices(inputs[1], "the indices");
  require(inputs[1].shape == Shape{extent(inputs[0], 0)}, "{} needs one index per row, got {}",
          to_string(inputs[0]), to_string(inputs[1]));
  return {{inputs[0].dtype, inputs[1].shape}};
}
std::vector<Expr> take_per_row_vjp(const VjpArguments& a) {
  return first(put_per_row(a.cotangent, a.inputs[1], extent(a.inputs[0].type(), 1)));
}
Types put_per_row_types(TypeSpan inputs, const Attributes& attributes) {
  require_floating(inputs[0], "the values");
  require_rank(inputs[0], 1, "the values");
  require_indices(inputs[1], "the indices");
  require(inputs[0].shape == inputs[1].shape, "{} needs one index per value, got {}",
          to_string(inputs[0]), to_string(inputs[1]));
  return {{inputs[0].dtype, {extent(inputs[0], 0), attributes.integer("columns")}}};
}
std::vector<Expr> put_per_row_vjp(const VjpArguments& a) {
  return first(take_per_row(a.cotangent, a.inputs[1]));
}
std::vector<OpSample> take_per_row_samples() {
  return {{.inputs = {f32({4, 5}), i32({4})}, .index_limit = 5}};
}
std::vector<OpSample> put_per_row_samples() {
  return {
      {.inputs = {f32({4}), i32({4})}, .attributes = {{"columns", int64_t{5}}}, .index_limit = 5}};
}

// ---- Row-major positions ----

Types take_types(TypeSpan inputs, const Attributes&) {
  require_floating(inputs[0], "the argument");
  require_indices(inputs[1], "the indices");
  return {{inputs[0].dtype, inputs[1].shape}};
}
std::vector<Expr> take_vjp(const VjpArguments& a) {
  return first(scatter(a.cotangent, a.inputs[1], a.inputs[0].shape()));
}
Types scatter_types(TypeSpan inputs, const Attributes& attributes) {
  require_floating(inputs[0], "the values");
  require_indices(inputs[1], "the indices");
  require(inputs[0].shape == inputs[1].shape, "{} needs one index per value, got {}",
          to_string(inputs[0]), to_string(inputs[1]));
  return {{inputs[0].dtype, attributes.shape("shape")}};
}
std::vector<Expr> scatter_vjp(const VjpArguments& a) {
  return first(take(a.cotangent, a.inputs[1]));
}
std::vector<OpSample> take_samples() {
  return {{.inputs = {f32({3, 4}), i32({2, 4})}, .index_limit = 12}};
}
std::vector<OpSample> scatter_samples() {
  return {{.inputs = {f32({2, 4}), i32({2, 4})},
           .attributes = {{"shape", Axes{3, 2}}},
           .index_limit = 6}};
}

// ---- Indices and their masks ----

Types max_pool_index_types(TypeSpan inputs, const Attributes& attributes) {
  require_floating(inputs[0], "the images");
  require_rank(inputs[0], 4, "the images (N, H, W, C)");
  const int64_t window = attributes.integer("window");
  const int64_t stride = attributes.integer("stride");
  const Shape& shape = inputs[0].shape;
  require(window > 0 && stride > 0 && window <= shape[1] && window <= shape[2],
          "windows of {}, {} apart, do not fit {}", window, stride, to_string(shape));
  require(shape.elements() <= INT32_MAX, "{} has too many elements for i32", to_string(shape));
  return {i32(
      {shape[0], (shape[1] - window) / stride + 1, (shape[2] - window) / stride + 1, shape[3]})};
}
std::vector<OpSample> max_pool_index_samples() {
  return {{.inputs = {f32({2, 4, 6, 2})},
           .attributes = {{"window", int64_t{2}}, {"stride", int64_t{2}}}},
          {.inputs = {f32({1, 5, 7, 3})},
           .attributes = {{"window", int64_t{3}}, {"stride", int64_t{2}}}}};
}

Types one_hot_types(TypeSpan inputs, const Attributes& attributes) {
  require_indices(inputs[0], "the labels");
  TensorType result{dtype_attribute(attributes), inputs[0].shape};
  require_floating(result, "the result");
  result.shape.append(attributes.integer("classes"));
  return {result};
}
std::vector<OpSample> one_hot_samples() {
  return {{.inputs = {i32({4})},
           .attributes = {{"classes", int64_t{5}}, {"dtype", static_cast<int64_t>(DType::f32)}},
           .index_limit = 5}};
}

constexpr OpDef index(std::string_view name, int arity, TypeRule infer, VjpRule vjp,
                      std::vector<OpSample> (*samples)()) {
  return {.name = name,
          .arity = arity,
          .group = OpGroup::index,
          .infer = infer,
          .vjp = vjp,
          .jvp = vjp == nullptr ? nullptr : linear_jvp,
          .flops = no_flops,
          .samples = samples};
}

}  // namespace
}  // namespace rules

namespace ops {

using namespace rules;

constinit const OpDef gather = index("gather", 2, gather_types, gather_vjp, gather_samples);
constinit const OpDef scatter_add =
    index("scatter_add", 2, scatter_add_types, scatter_add_vjp, scatter_add_samples);
constinit const OpDef take_per_row =
    index("take_per_row", 2, take_per_row_types, take_per_row_vjp, take_per_row_samples);
constinit const OpDef put_per_row =
    index("put_per_row", 2, put_per_row_types, put_per_row_vjp, put_per_row_samples);
constinit const OpDef take = index("take", 2, take_types, take_vjp, take_samples);
constinit const OpDef scatter = index("scatter", 2, scatter_types, scatter_vjp, scatter_samples);
constinit const OpDef max_pool_index =
    index("max_pool_index", 1, max_pool_index_types, nullptr, max_pool_index_samples);
constinit const OpDef one_hot = index("one_hot", 1, one_hot_types, nullptr, one_hot_samples);

}  // namespace ops

Expr gather(Expr x, Expr indices, int64_t axis) {
  return x.builder().apply(ops::gather, {x, indices},
                           {{"axis", rules::normalised(axis, x.shape().rank())}});
}
Expr scatter_add(Expr updates, Expr indices, int64_t axis, int64_t extent) {
  return updates.builder().apply(
      ops::scatter_add, {updates, indices},
      {{"axis", rules::normalised(axis, updates.shape().rank())}, {"extent", extent}});
}
Expr take_per_row(Expr x, Expr indices) {
  return x.builder().apply(ops::take_per_row, {x, indices});
}
Expr put_per_row(Expr values, Expr indices, int64_t columns) {
  return values.builder().apply(ops::put_per_row, {values, indices}, {{"columns", columns}});
}
Expr take(Expr x, Expr indices) {
  return x.builder().apply(ops::take, {x, indices});
}
Expr scatter(Expr values, Expr indices, const Shape& shape) {
  const auto extents = shape.extents();
  return values.builder().apply(ops::scatter, {values, indices},
                                {{"shape", Axes(extents.begin(), extents.end())}});
}
Expr max_pool_index(Expr x, int64_t window, int64_t stride) {
  return x.builder().apply(ops::max_pool_index, {x}, {{"window", window}, {"stride", stride}});
}
Expr one_hot(Expr labels, int64_t classes, DType dtype) {
  return labels.builder().apply(ops::one_hot, {labels},
                                {{"classes", classes}, {"dtype", static_cast<int64_t>(dtype)}});
}

}  // namespace outerloop
