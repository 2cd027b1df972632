// Equations outside of fused bodies: constants, reductions, aliases, and ops that stay as they are.

#include <array>

#include "exec/plan/extents.h"
#include "exec/plan/lowering.h"
#include "outerloop/ops/records.h"
#include "outerloop/ops/reduce.h"

namespace outerloop::exec {

ScalarBody identity_body(DType dtype) {
  ScalarBuilder builder(dtype, 1);
  return builder.finish(std::array{builder.input(0)});
}

namespace {

LoopSpec step_spec(DType dtype, const ReduceStep& step, bool is_sum) {
  LoopSpec spec{.dtype = dtype, .body = identity_body(dtype)};
  LoopOutput output;
  if (step.contiguous()) {
    spec.extents = {step.outer, step.reduced};
    output.kind = is_sum ? LoopOutputKind::sum_contiguous : LoopOutputKind::max_contiguous;
    output.strides = {1, 0};
  } else {
    spec.extents = {step.outer, step.reduced, step.inner};
    output.kind = is_sum ? LoopOutputKind::sum_rows : LoopOutputKind::max_rows;
    output.strides = {step.inner, 0, 1};
  }
  spec.inputs = {loop_strides(dense_strides(Shape(spec.extents)))};
  spec.outputs = {output};
  return spec;
}

}  // namespace

void lower_constant(Lowering& lowering, const Equation& equation) {
  const ValueId value = equation.outputs.front();
  const TensorType& type = lowering.type(value);
  if (!is_floating(type.dtype)) return lower_plain(lowering, equation);
  ScalarBuilder builder(type.dtype, 0);
  LoopSpec spec{.dtype = type.dtype, .extents = {type.shape.elements()}};
  spec.body = builder.finish(std::array{builder.constant(equation.attributes.real("value"))});
  spec.outputs = {{LoopOutputKind::store, {1}}};
  lowering.call(std::move(spec), {}, {Lowering::buffer(value)});
}

void lower_alias(Lowering& lowering, const Equation& equation) {
  lowering.alias(equation.outputs.front(), equation.inputs.front());
}

void lower_reduction(Lowering& lowering, const Equation& equation) {
  const ValueId input = equation.inputs.front();
  const ValueId output = equation.outputs.front();
  const TensorType& type = lowering.type(input);
  const std::vector<ReduceStep> steps =
      reduce_steps(type.shape, equation.attributes.integers("axes"));
  if (steps.empty()) return lowering.alias(output, input);
  BufferId source = Lowering::buffer(input);
  for (size_t i = 0; i < steps.size(); ++i) {
    const ReduceStep& step = steps[i];
    const int64_t bytes = step.outer * step.inner * static_cast<int64_t>(size_of(type.dtype));
    const BufferId target =
        i + 1 == steps.size() ? Lowering::buffer(output) : lowering.scratch(bytes);
    LoopSpec spec = step_spec(type.dtype, step, equation.op == &ops::sum);
    lowering.call(std::move(spec), {source}, {target});
    source = target;
  }
}

void lower_plain(Lowering& lowering, const Equation& equation) {
  PlainSpec spec{.op = equation.op,
                 .attributes = equation.attributes,
                 .output = lowering.type(equation.outputs.front())};
  std::vector<BufferId> reads;
  for (ValueId input : equation.inputs) {
    spec.inputs.push_back(lowering.type(input));
    reads.push_back(Lowering::buffer(input));
  }
  lowering.call(std::move(spec), reads, {Lowering::buffer(equation.outputs.front())});
}

}  // namespace outerloop::exec
