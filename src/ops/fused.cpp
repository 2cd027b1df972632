// Groups of equations that passes made into one. The body defines the result; differentiation
// inlines it (outerloop/autodiff).

#include "ops/rules.h"

namespace outerloop {
namespace rules {
namespace {

Types fused_types(TypeSpan inputs, const Attributes& attributes) {
  const Program& body = *attributes.program("body");
  require(inputs.size() == body.inputs.size(), "the body takes {} inputs, got {}",
          body.inputs.size(), inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    require(inputs[i] == body.type(body.inputs[i].value), "input {} of the body is {}, got {}", i,
            to_string(body.type(body.inputs[i].value)), to_string(inputs[i]));
  }
  Types types;
  for (const ProgramOutput& output : body.outputs) types.push_back(body.type(output.value));
  return types;
}

double fused_flops(TypeSpan, TypeSpan, const Attributes& attributes) {
  return flops_of(*attributes.program("body")).all;
}

// Two outputs, one of them reduced.
std::vector<OpSample> fused_samples() {
  Builder builder;
  const Expr x = builder.input("x", f32({3, 5}), Binding::per_lane);
  const Expr y = builder.input("y", f32({5}), Binding::per_lane);
  const Expr product = tanh(x * y);
  builder.output("product", product);
  builder.output("total", sum(square(product) + x, {0}));
  const auto body = std::make_shared<const Program>(builder.finish());
  return {{.inputs = {f32({3, 5}), f32({5})}, .attributes = {{"body", body}}}};
}

}  // namespace
}  // namespace rules

namespace ops {

constinit const OpDef fused{.name = "fused",
                            .arity = -1,
                            .group = OpGroup::fused,
                            .infer = rules::fused_types,
                            .flops = rules::fused_flops,
                            .samples = rules::fused_samples};

}  // namespace ops
}  // namespace outerloop
