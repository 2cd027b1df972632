// Values without inputs.

#include "ops/rules.h"

namespace outerloop {
namespace rules {
namespace {

Types constant_types(TypeSpan, const Attributes& attributes) {
  return {{dtype_attribute(attributes), attributes.shape("shape")}};
}

Types iota_types(TypeSpan, const Attributes& attributes) {
  const int64_t count = attributes.integer("count");
  require(count >= 0 && count <= INT32_MAX, "cannot count to {} in i32", count);
  return {i32({count})};
}

std::vector<OpSample> constant_samples() {
  return {{.attributes = {{"value", 0.1},
                          {"dtype", static_cast<int64_t>(DType::f32)},
                          {"shape", Axes{2, 3}}}},
          {.attributes = {
               {"value", 7.0}, {"dtype", static_cast<int64_t>(DType::i32)}, {"shape", Axes{}}}}};
}

std::vector<OpSample> iota_samples() {
  return {{.attributes = {{"count", int64_t{5}}}}};
}

}  // namespace
}  // namespace rules

namespace ops {

constinit const OpDef constant{.name = "constant",
                               .arity = 0,
                               .group = OpGroup::constant,
                               .infer = rules::constant_types,
                               .flops = rules::no_flops,
                               .samples = rules::constant_samples};
constinit const OpDef iota{.name = "iota",
                           .arity = 0,
                           .group = OpGroup::constant,
                           .infer = rules::iota_types,
                           .flops = rules::no_flops,
                           .samples = rules::iota_samples};

}  // namespace ops

Expr constant(Builder& builder, double value, TensorType type) {
  const auto extents = type.shape.extents();
  return builder.apply(ops::constant, std::span<const Expr>{},
                       {{"value", value},
                        {"dtype", static_cast<int64_t>(type.dtype)},
                        {"shape", Axes(extents.begin(), extents.end())}});
}

Expr full_like(Expr x, double value) {
  return constant(x.builder(), value, x.type());
}
Expr zeros_like(Expr x) {
  return full_like(x, 0);
}
Expr ones_like(Expr x) {
  return full_like(x, 1);
}

Expr iota(Builder& builder, int64_t count) {
  return builder.apply(ops::iota, std::span<const Expr>{}, {{"count", count}});
}

Expr identity_matrix(Builder& builder, int64_t size, DType dtype) {
  return one_hot(iota(builder, size), size, dtype);
}

}  // namespace outerloop
