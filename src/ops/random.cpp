// Random numbers as a function of an int32 key.

#include "ops/rules.h"

namespace outerloop {
namespace rules {
namespace {

Types random_uniform_types(TypeSpan inputs, const Attributes& attributes) {
  require(inputs[0] == i32({4}), "the key must be i32(4), got {}", to_string(inputs[0]));
  const int64_t stream = attributes.integer("stream");
  require(stream >= 0 && stream < kUniformStreams, "stream {} is outside 0 … {}", stream,
          kUniformStreams - 1);
  const TensorType result{dtype_attribute(attributes), attributes.shape("shape")};
  require_floating(result, "the result");
  return {result};
}

std::vector<OpSample> random_uniform_samples() {
  return {{.inputs = {i32({4})},
           .attributes = {{"stream", int64_t{3}},
                          {"dtype", static_cast<int64_t>(DType::f32)},
                          {"shape", Axes{5, 9}}},
           .index_limit = 1000}};
}

}  // namespace
}  // namespace rules

namespace ops {

constinit const OpDef random_uniform{.name = "random_uniform",
                                     .arity = 1,
                                     .group = OpGroup::random,
                                     .infer = rules::random_uniform_types,
                                     .samples = rules::random_uniform_samples};

}  // namespace ops

Expr random_uniform(Expr key, int64_t stream, TensorType type) {
  const auto extents = type.shape.extents();
  return key.builder().apply(ops::random_uniform, {key},
                             {{"stream", stream},
                              {"dtype", static_cast<int64_t>(type.dtype)},
                              {"shape", Axes(extents.begin(), extents.end())}});
}

}  // namespace outerloop
