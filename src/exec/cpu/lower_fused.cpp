// Fused equations: one loop nest, or one contraction with an epilogue.

#include <algorithm>
#include <array>
#include <memory>
#include <optional>

#include "exec/cpu/lowering.h"
#include "outerloop/base/error.h"
#include "outerloop/ir/builder.h"
#include "outerloop/ops/records.h"
#include "outerloop/passes/access.h"

namespace outerloop::exec {
namespace {

using passes::AccessStrides;

// One way in which the body reads one of its inputs.
struct Operand {
  ValueId value;
  AccessStrides strides;
  bool dense = false;  // same element order as the loop
  bool operator==(const Operand&) const = default;
};

// A body taken apart: its head or reduction, its operands and its scalar mathematics.
class BodyAnalysis {
 public:
  explicit BodyAnalysis(const Program& body) : body_(body), producer_(producers(body)) {
    for (const Equation& equation : body.equations) {
      if (equation.op->group == OpGroup::contraction) head_ = &equation;
      if (equation.op->group == OpGroup::reduction && reduction_ == nullptr) {
        reduction_ = &equation;
      }
    }
    const Equation& last = body.equations.back();
    const ValueId shaped = reduction_ != nullptr ? reduction_->inputs.front()
                           : head_ != nullptr    ? head_->outputs.front()
                                                 : last.outputs.front();
    shape_ = body.type(shaped).shape;
    dtype_ = body.type(shaped).dtype;
    for (const Equation& equation : body.equations) {
      if (&equation != head_) collect(equation);
    }
  }

  const Equation* head() const { return head_; }
  const Equation* reduction() const { return reduction_; }
  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  const std::vector<Operand>& operands() const { return operands_; }

  const Equation* maker(ValueId value) const {
    const int32_t e = producer_[static_cast<size_t>(value.index)];
    return e < 0 ? nullptr : &body_.equations[static_cast<size_t>(e)];
  }

  // What each output stores: the reduced value for reductions.
  ScalarBody scalars() const {
    const int first = head_ != nullptr ? 1 : 0;
    ScalarBuilder builder(dtype_, first + static_cast<int>(operands_.size()));
    std::vector<Scalar> known(body_.values.size());
    if (head_ != nullptr) known[index(head_->outputs.front())] = builder.input(0);
    const auto operand = [&](const Operand& wanted) {
      const auto place = std::ranges::find(operands_, wanted) - operands_.begin();
      return builder.input(first + static_cast<int>(place));
    };
    for (const Equation& equation : body_.equations) {
      if (&equation == head_) continue;
      Scalar& result = known[index(equation.outputs.front())];
      std::vector<Scalar> inputs;
      for (ValueId input : equation.inputs) {
        Scalar& value = known[index(input)];
        if (value.builder == nullptr) {
          const Scalar loaded = operand(access(equation, input));
          if (equation.op->group != OpGroup::broadcast) value = loaded;
          inputs.push_back(loaded);
        } else {
          inputs.push_back(value);
        }
      }
      switch (equation.op->group) {
        case OpGroup::constant:
          result = builder.constant(equation.attributes.real("value"));
          break;
        case OpGroup::broadcast:
        case OpGroup::reduction:
          result = inputs.front();
          break;
        default:
          result = equation.op->scalar(inputs, equation.attributes);
      }
    }
    std::vector<Scalar> outputs;
    for (const ProgramOutput& output : body_.outputs) outputs.push_back(known[index(output.value)]);
    return builder.finish(outputs);
  }

 private:
  static size_t index(ValueId value) { return static_cast<size_t>(value.index); }

  Operand access(const Equation& equation, ValueId input) const {
    if (equation.op->group == OpGroup::broadcast) {
      return {input, passes::broadcast_access(body_.type(input).shape,
                                              equation.attributes.integers("axes"))};
    }
    return {input, passes::dense_access(shape_), true};
  }

  void collect(const Equation& equation) {
    for (ValueId input : equation.inputs) {
      if (maker(input) != nullptr) continue;
      const Operand operand = access(equation, input);
      if (std::ranges::find(operands_, operand) == operands_.end()) operands_.push_back(operand);
    }
  }

  const Program& body_;
  std::vector<int32_t> producer_;
  const Equation* head_ = nullptr;
  const Equation* reduction_ = nullptr;
  Shape shape_;
  DType dtype_ = DType::f32;
  std::vector<Operand> operands_;
};

std::vector<int64_t> merged(const Shape& shape, const AccessStrides& strides,
                            std::span<const int> runs) {
  const auto result = passes::merged_strides(shape, strides, runs);
  OL_ASSERT(result.has_value(), "a fused operand does not fit its loop");
  return *result;
}

int64_t run_extent(const Shape& shape, int first, int count) {
  int64_t extent = 1;
  for (int axis = first; axis < first + count; ++axis) extent *= shape[axis];
  return extent;
}

LoopStrides loop_strides(const std::vector<int64_t>& strides) {
  LoopStrides result{};
  std::ranges::copy(strides, result.begin());
  return result;
}

struct LoopShape {
  std::vector<int> runs;
  std::vector<int64_t> extents;
};

LoopShape loop_shape(const BodyAnalysis& body) {
  LoopShape loop{.runs = passes::loop_runs(body.shape(), nullptr, body.reduction())};
  int axis = 0;
  for (size_t run = 0; run < loop.runs.size(); ++run) {
    loop.extents.push_back(run_extent(body.shape(), axis, loop.runs[run]));
    axis += loop.runs[run];
  }
  return loop;
}

LoopOutput loop_output(const BodyAnalysis& body, const LoopShape& loop, ValueId value) {
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

// An output may take the memory of an operand that is read once, in the same order, and by no other
// name (a reshaped value is the same memory).
std::vector<int32_t> in_place_candidates(const BodyAnalysis& body, const Lowering& lowering,
                                         const Equation& equation,
                                         const std::vector<BufferId>& reads, size_t first_read) {
  std::vector<int32_t> result(equation.outputs.size(), -1);
  std::vector<bool> taken(body.operands().size(), false);
  for (size_t o = 0; o < result.size(); ++o) {
    const TensorType& type = lowering.type(equation.outputs[o]);
    if (type.shape.elements() != body.shape().elements()) continue;
    for (size_t i = 0; i < taken.size() && result[o] < 0; ++i) {
      const Operand& operand = body.operands()[i];
      const auto same_memory = [&](BufferId other) {
        return lowering.root(other) == lowering.root(reads[first_read + i]);
      };
      if (taken[i] || !operand.dense || std::ranges::count_if(reads, same_memory) > 1) continue;
      taken[i] = true;
      result[o] = static_cast<int32_t>(first_read + i);
    }
  }
  return result;
}

void lower_loop(Lowering& lowering, const Equation& equation, const Program& program,
                const BodyAnalysis& body) {
  const LoopShape loop = loop_shape(body);
  LoopSpec spec{.dtype = body.dtype(), .extents = loop.extents, .body = body.scalars()};
  std::vector<BufferId> reads;
  for (const Operand& operand : body.operands()) {
    spec.inputs.push_back(loop_strides(merged(body.shape(), operand.strides, loop.runs)));
    reads.push_back(bound(equation, program, operand.value));
  }
  for (const ProgramOutput& output : program.outputs) {
    spec.outputs.push_back(loop_output(body, loop, output.value));
  }
  const bool reduces = body.reduction() != nullptr;
  lowering.call(lowering.loop(spec), reads, outputs_of(equation),
                reduces ? std::vector<int32_t>(equation.outputs.size(), -1)
                        : in_place_candidates(body, lowering, equation, reads, 0));
}

Epilogue epilogue_of(const BodyAnalysis& body, const Program& program) {
  const std::vector<int> runs = passes::loop_runs(body.shape(), body.head(), nullptr);
  const auto strides = [&](const AccessStrides& access) {
    const std::vector<int64_t> list = merged(body.shape(), access, runs);
    return TileStrides{list[0], list[1], list[2]};
  };
  Epilogue epilogue{.body = body.scalars()};
  for (const Operand& operand : body.operands()) {
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
  spec.batch = run_extent(a, 0, rank - 2);
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
  for (const Operand& operand : body.operands()) {
    reads.push_back(bound(equation, program, operand.value));
  }
  // The head's own operands are in `reads`, so none of them is overwritten while it is read.
  const std::vector<int32_t> in_place = in_place_candidates(body, lowering, equation, reads, 2);
  Kernel kernel;
  if (head.op == &ops::matmul) {
    MatmulSpec spec = matmul_spec(program, head);
    spec.epilogue = epilogue_of(body, program);
    kernel = lowering.matmul(spec);
  } else {
    ConvSpec spec = conv_spec(program, head);
    spec.epilogue = epilogue_of(body, program);
    kernel = lowering.conv(spec);
  }
  lowering.call(kernel, reads, outputs_of(equation), in_place);
}

// A body of one equation, so that single and fused equations take one path.
Program body_of(const Lowering& lowering, const Equation& equation) {
  Builder builder;
  std::vector<Expr> inputs;
  for (size_t i = 0; i < equation.inputs.size(); ++i) {
    inputs.push_back(builder.input("x" + std::to_string(i), lowering.type(equation.inputs[i]),
                                   Binding::per_lane));
  }
  builder.output("y0", builder.apply(*equation.op, inputs, equation.attributes));
  return builder.finish();
}

}  // namespace

void lower_fused(Lowering& lowering, const Equation& equation) {
  const std::shared_ptr<const Program> program =
      equation.op == &ops::fused ? equation.attributes.program("body")
                                 : std::make_shared<const Program>(body_of(lowering, equation));
  const BodyAnalysis body(*program);
  if (body.head() != nullptr) {
    lower_contraction(lowering, equation, *program, body);
  } else {
    lower_loop(lowering, equation, *program, body);
  }
}

}  // namespace outerloop::exec
