// Fused equations: one loop nest, or one contraction with an epilogue.

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "exec/plan/body_analysis.h"
#include "exec/plan/extents.h"
#include "exec/plan/lowering.h"
#include "outerloop/base/error.h"
#include "outerloop/ir/builder.h"
#include "outerloop/ops/records.h"
#include "outerloop/passes/access.h"

namespace outerloop::exec {
namespace {

std::vector<int64_t> merged(const Shape& shape, const passes::AccessStrides& strides,
                            std::span<const int> runs) {
  const auto result = passes::merged_strides(shape, strides, runs);
  OL_ASSERT(result.has_value(), "a fused operand does not fit its loop");
  return *result;
}

struct FusedLoop {
  std::vector<int> runs;
  std::vector<int64_t> extents;
};

FusedLoop loop_of(const BodyAnalysis& body) {
  FusedLoop loop{.runs = passes::loop_runs(body.shape(), nullptr, body.reduction())};
  int axis = 0;
  for (size_t run = 0; run < loop.runs.size(); ++run) {
    loop.extents.push_back(product(body.shape(), axis, axis + loop.runs[run]));
    axis += loop.runs[run];
  }
  return loop;
}

LoopOutput loop_output(const BodyAnalysis& body, const FusedLoop& loop, ValueId value) {
  const Equation* maker = body.maker(value);
  if (maker == nullptr || maker->op->group != OpGroup::reduction) {
    return {LoopOutputKind::store,
            loop_strides(merged(body.shape(), passes::dense_access(body.shape()), loop.runs))};
  }
  const bool contiguous = loop.extents.size() == 2;
  const bool is_sum = maker->op == &ops::sum;
  const int64_t inner = contiguous ? 1 : loop.extents[2];
  LoopOutput output;
  if (loop.extents[1] == 1) {
    output.kind = LoopOutputKind::store;  // nothing to add: a copy
  } else if (contiguous) {
    output.kind = is_sum ? LoopOutputKind::sum_contiguous : LoopOutputKind::max_contiguous;
  } else {
    output.kind = is_sum ? LoopOutputKind::sum_rows : LoopOutputKind::max_rows;
  }
  output.strides[0] = inner;
  if (!contiguous) output.strides[2] = 1;
  return output;
}

BufferId bound(const Equation& equation, const Program& body, ValueId value) {
  for (size_t i = 0; i < body.inputs.size(); ++i) {
    if (body.inputs[i].value == value) return Lowering::buffer(equation.inputs[i]);
  }
  throw_internal_error("body input", __FILE__, __LINE__, "an operand is no input of the body");
}

std::vector<BufferId> outputs_of(const Equation& equation) {
  std::vector<BufferId> result;
  for (ValueId output : equation.outputs) result.push_back(Lowering::buffer(output));
  return result;
}

// By output: the operands whose memory it may take, read once, in the same order, and by no other
// name (a reshaped value is the same memory). `reads` from `first_read` on are the body's operands.
std::vector<std::vector<int32_t>> in_place_candidates(const BodyAnalysis& body,
                                                      const Lowering& lowering,
                                                      const Equation& equation,
                                                      const std::vector<BufferId>& reads,
                                                      size_t first_read) {
  std::vector<int32_t> candidates;
  for (size_t i = 0; i < body.operands().size(); ++i) {
    const auto same_memory = [&](BufferId other) {
      return lowering.root(other) == lowering.root(reads[first_read + i]);
    };
    if (!body.operands()[i].dense || std::ranges::count_if(reads, same_memory) > 1) continue;
    candidates.push_back(static_cast<int32_t>(first_read + i));
  }
  std::vector<std::vector<int32_t>> result(equation.outputs.size());
  for (size_t o = 0; o < result.size() && body.may_run_in_place(); ++o) {
    const Shape& shape = lowering.type(equation.outputs[o]).shape;
    if (shape.elements() == body.shape().elements()) result[o] = candidates;
  }
  return result;
}

void lower_loop(Lowering& lowering, const Equation& equation, const Program& program,
                const BodyAnalysis& body) {
  const FusedLoop loop = loop_of(body);
  LoopSpec spec{.dtype = body.dtype(), .extents = loop.extents, .body = body.scalars()};
  std::vector<BufferId> reads;
  for (const BodyOperand& operand : body.operands()) {
    spec.inputs.push_back(loop_strides(merged(body.shape(), operand.strides, loop.runs)));
    reads.push_back(bound(equation, program, operand.value));
  }
  for (const ProgramOutput& output : program.outputs) {
    spec.outputs.push_back(loop_output(body, loop, output.value));
  }
  const bool reduces = body.reduction() != nullptr;
  lowering.call(std::move(spec), reads, outputs_of(equation),
                reduces ? std::vector<std::vector<int32_t>>{}
                        : in_place_candidates(body, lowering, equation, reads, 0));
}

Epilogue epilogue_of(const BodyAnalysis& body, const Program& program) {
  const std::vector<int> runs = passes::loop_runs(body.shape(), body.head(), nullptr);
  const auto strides = [&](const passes::AccessStrides& access) {
    const std::vector<int64_t> list = merged(body.shape(), access, runs);
    return TileStrides{list[0], list[1], list[2]};
  };
  Epilogue epilogue{.body = body.scalars()};
  for (const BodyOperand& operand : body.operands()) {
    epilogue.inputs.push_back(strides(operand.strides));
  }
  TileStrides dense = strides(passes::dense_access(body.shape()));
  dense[2] = 1;
  epilogue.outputs.assign(program.outputs.size(), dense);
  return epilogue;
}

MatmulSpec matmul_spec(const Program& program, const Equation& head) {
  const Shape& a = program.type(head.inputs[0]).shape;
  const Shape& b = program.type(head.inputs[1]).shape;
  const int rank = a.rank();
  const bool transposed = head.attributes.integer("transpose_a") != 0;
  OL_ASSERT(head.attributes.integer("transpose_b") == 0, "lower_transposes has run");
  MatmulSpec spec{.dtype = program.type(head.outputs.front()).dtype};
  const int64_t rows = a[rank - 2];
  const int64_t columns = a[rank - 1];
  spec.batch = product(a, 0, rank - 2);
  spec.m = transposed ? columns : rows;
  spec.k = transposed ? rows : columns;
  spec.n = b[rank - 1];
  spec.a_batch = rows * columns;
  spec.a_row = transposed ? 1 : columns;
  spec.a_k = transposed ? columns : 1;
  spec.b_batch = spec.k * spec.n;
  spec.b_k = spec.n;
  return spec;
}

ConvSpec conv_spec(const Program& program, const Equation& head) {
  const bool filter = head.op == &ops::conv2d_filter;
  const bool input = head.op == &ops::conv2d_input;
  const Shape& first = program.type(head.inputs[0]).shape;
  const Shape& result = program.type(head.outputs.front()).shape;
  const Shape& x = input ? result : first;
  const Shape& y = input ? first : filter ? program.type(head.inputs[1]).shape : result;
  const Shape& w = filter ? result : program.type(head.inputs[1]).shape;
  const auto& pads = head.attributes.integers("pads");
  ConvSpec spec{.dtype = program.type(head.outputs.front()).dtype};
  spec.direction = filter  ? ConvDirection::filter
                   : input ? ConvDirection::input
                           : ConvDirection::forward;
  spec.geometry = {.images = x[0],
                   .height = x[1],
                   .width = x[2],
                   .in_channels = x[3],
                   .out_height = y[1],
                   .out_width = y[2],
                   .out_channels = y[3],
                   .kernel_height = w[0],
                   .kernel_width = w[1],
                   .stride = head.attributes.integer("stride"),
                   .pad_top = pads[0],
                   .pad_left = pads[2]};
  return spec;
}

void lower_contraction(Lowering& lowering, const Equation& equation, const Program& program,
                       const BodyAnalysis& body) {
  const Equation& head = *body.head();
  std::vector<BufferId> reads{bound(equation, program, head.inputs[0]),
                              bound(equation, program, head.inputs[1])};
  for (const BodyOperand& operand : body.operands()) {
    reads.push_back(bound(equation, program, operand.value));
  }
  // The head's own operands are in `reads`, so none of them is overwritten while it is read.
  auto in_place = in_place_candidates(body, lowering, equation, reads, 2);
  const Epilogue epilogue = epilogue_of(body, program);
  if (head.op == &ops::matmul) {
    MatmulSpec spec = matmul_spec(program, head);
    spec.epilogue = epilogue;
    lowering.call(std::move(spec), reads, outputs_of(equation), std::move(in_place));
  } else {
    ConvSpec spec = conv_spec(program, head);
    spec.epilogue = epilogue;
    lowering.call(std::move(spec), reads, outputs_of(equation), std::move(in_place));
  }
}

// A single equation as one with a body, so that it takes the path of fused ones. A value that it
// reads twice is one input.
Equation with_body(const Lowering& lowering, const Equation& equation) {
  Equation result{.op = &ops::fused, .outputs = equation.outputs};
  Builder builder;
  std::vector<Expr> arguments;
  std::vector<Expr> inputs;
  for (ValueId value : equation.inputs) {
    const auto known = std::ranges::find(result.inputs, value) - result.inputs.begin();
    if (known == std::ssize(result.inputs)) {
      result.inputs.push_back(value);
      inputs.push_back(
          builder.input(fmt::format("x{}", known), lowering.type(value), Binding::per_lane));
    }
    arguments.push_back(inputs[static_cast<size_t>(known)]);
  }
  builder.output("y0", builder.apply(*equation.op, arguments, equation.attributes));
  result.attributes.set("body", std::make_shared<const Program>(builder.finish()));
  return result;
}

}  // namespace

void lower_fused(Lowering& lowering, const Equation& equation) {
  if (equation.op != &ops::fused) return lower_fused(lowering, with_body(lowering, equation));
  const Program& program = *equation.attributes.program("body");
  const BodyAnalysis body(program);
  if (body.head() != nullptr) {
    lower_contraction(lowering, equation, program, body);
  } else {
    lower_loop(lowering, equation, program, body);
  }
}

}  // namespace outerloop::exec
