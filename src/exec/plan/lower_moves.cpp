// Equations that move elements, or pick them by index.

#include "exec/plan/extents.h"
#include "exec/plan/lowering.h"
#include "outerloop/ops/records.h"

namespace outerloop::exec {
namespace {

std::vector<int64_t> list(const Shape& shape) {
  return {shape.begin(), shape.end()};
}

// Part of what an axis-wise op reads or writes: offset and stride of each axis.
struct Steps {
  int64_t offset = 0;
  std::vector<int64_t> strides;
};
Steps stepped(const Shape& shape, std::span<const int64_t> starts, std::span<const int64_t> steps) {
  Steps result{0, dense_strides(shape)};
  for (size_t axis = 0; axis < starts.size(); ++axis) {
    result.offset += starts[axis] * result.strides[axis];
    result.strides[axis] *= steps[axis];
  }
  return result;
}

void call_moves(Lowering& lowering, const Equation& equation, std::vector<Move> moves,
                bool fills = false) {
  const ValueId output = equation.outputs.front();
  const TensorType& type = lowering.type(output);
  std::vector<BufferId> reads;
  for (ValueId input : equation.inputs) reads.push_back(Lowering::buffer(input));
  MoveSpec spec{.element_bytes = static_cast<int>(size_of(type.dtype)),
                .moves = std::move(moves),
                .fills = fills,
                .target_elements = type.shape.elements()};
  lowering.call(std::move(spec), reads, {Lowering::buffer(output)});
}

void call_by_index(Lowering& lowering, const Equation& equation, StepSpec spec) {
  std::vector<BufferId> reads;
  for (ValueId input : equation.inputs) reads.push_back(Lowering::buffer(input));
  lowering.call(std::move(spec), reads, {Lowering::buffer(equation.outputs.front())});
}

const Shape& input_shape(const Lowering& lowering, const Equation& equation, size_t i = 0) {
  return lowering.type(equation.inputs[i]).shape;
}
const TensorType& output_type(const Lowering& lowering, const Equation& equation) {
  return lowering.type(equation.outputs.front());
}

// One index for each row of a matrix.
RowsSpec per_row(const TensorType& matrix) {
  return {.dtype = matrix.dtype,
          .outer = matrix.shape[0],
          .extent = matrix.shape[1],
          .count = matrix.shape[0]};
}

MaxPoolSpec windows_of(const Lowering& lowering, const Equation& equation) {
  const TensorType& x = lowering.type(equation.inputs[0]);
  return {.dtype = x.dtype,
          .images = x.shape[0],
          .height = x.shape[1],
          .width = x.shape[2],
          .channels = x.shape[3],
          .window = equation.attributes.integer("window"),
          .stride = equation.attributes.integer("stride")};
}

RowsSpec rows(const TensorType& type, int64_t axis, int64_t count) {
  const int at = static_cast<int>(axis);
  return {.dtype = type.dtype,
          .outer = product(type.shape, 0, at),
          .extent = type.shape[at],
          .inner = product(type.shape, at + 1, type.shape.rank()),
          .count = count};
}

}  // namespace

void lower_transpose(Lowering& lowering, const Equation& equation) {
  const Shape& result = output_type(lowering, equation).shape;
  const std::vector<int64_t> own = dense_strides(input_shape(lowering, equation));
  std::vector<int64_t> source;
  for (int64_t axis : equation.attributes.integers("permutation")) {
    source.push_back(own[static_cast<size_t>(axis)]);
  }
  call_moves(lowering, equation, {{list(result), source, dense_strides(result)}});
}

// Of floating values a broadcast is part of a loop; this serves indices.
void lower_broadcast(Lowering& lowering, const Equation& equation) {
  const TensorType& type = output_type(lowering, equation);
  if (is_floating(type.dtype)) return lower_fused(lowering, equation);
  const std::vector<int64_t> own = dense_strides(input_shape(lowering, equation));
  std::vector<int64_t> source(static_cast<size_t>(type.shape.rank()), 0);
  const auto& axes = equation.attributes.integers("axes");
  for (size_t i = 0; i < axes.size(); ++i) source[static_cast<size_t>(axes[i])] = own[i];
  call_moves(lowering, equation, {{list(type.shape), source, dense_strides(type.shape)}});
}

void lower_slice(Lowering& lowering, const Equation& equation) {
  const Shape& result = output_type(lowering, equation).shape;
  const Steps source =
      stepped(input_shape(lowering, equation), equation.attributes.integers("starts"),
              equation.attributes.integers("strides"));
  call_moves(lowering, equation,
             {{list(result), source.strides, dense_strides(result), source.offset, 0}});
}

void lower_pad(Lowering& lowering, const Equation& equation) {
  const Shape& given = input_shape(lowering, equation);
  std::vector<int64_t> steps = equation.attributes.integers("interior");
  for (int64_t& step : steps) ++step;
  const Steps target =
      stepped(output_type(lowering, equation).shape, equation.attributes.integers("low"), steps);
  call_moves(lowering, equation,
             {{list(given), dense_strides(given), target.strides, 0, target.offset}}, true);
}

void lower_concat(Lowering& lowering, const Equation& equation) {
  const std::vector<int64_t> target = dense_strides(output_type(lowering, equation).shape);
  const auto axis = static_cast<size_t>(equation.attributes.integer("axis"));
  std::vector<Move> moves;
  int64_t place = 0;
  for (size_t i = 0; i < equation.inputs.size(); ++i) {
    const Shape& part = input_shape(lowering, equation, i);
    moves.push_back({list(part), dense_strides(part), target, 0, place * target[axis]});
    place += part[static_cast<int>(axis)];
  }
  call_moves(lowering, equation, std::move(moves));
}

void lower_gather(Lowering& lowering, const Equation& equation) {
  const RowsSpec spec = rows(lowering.type(equation.inputs[0]), equation.attributes.integer("axis"),
                             input_shape(lowering, equation, 1).elements());
  call_by_index(lowering, equation, IndexSpec{IndexKind::gather_rows, spec, {}});
}

void lower_scatter_add(Lowering& lowering, const Equation& equation) {
  const RowsSpec spec = rows(output_type(lowering, equation), equation.attributes.integer("axis"),
                             input_shape(lowering, equation, 1).elements());
  call_by_index(lowering, equation, IndexSpec{IndexKind::scatter_add_rows, spec, {}});
}

void lower_take(Lowering& lowering, const Equation& equation) {
  const TensorType& type = output_type(lowering, equation);
  const RowsSpec spec{.dtype = type.dtype,
                      .extent = input_shape(lowering, equation).elements(),
                      .count = type.shape.elements()};
  call_by_index(lowering, equation, IndexSpec{IndexKind::take, spec, {}});
}

void lower_scatter(Lowering& lowering, const Equation& equation) {
  const TensorType& type = output_type(lowering, equation);
  IndexSpec spec{IndexKind::scatter_add,
                 {.dtype = type.dtype,
                  .extent = type.shape.elements(),
                  .count = input_shape(lowering, equation).elements()},
                 {}};
  const Equation* indices = lowering.maker(equation.inputs[1]);
  if (indices != nullptr && indices->op == &ops::max_pool_index &&
      lowering.type(indices->inputs.front()).shape.elements() == type.shape.elements()) {
    spec.windows = windows_of(lowering, *indices);
  }
  call_by_index(lowering, equation, spec);
}

void lower_take_per_row(Lowering& lowering, const Equation& equation) {
  const TensorType& given = lowering.type(equation.inputs[0]);
  call_by_index(lowering, equation, IndexSpec{IndexKind::take_per_row, per_row(given), {}});
}

void lower_put_per_row(Lowering& lowering, const Equation& equation) {
  const TensorType& type = output_type(lowering, equation);
  call_by_index(lowering, equation, IndexSpec{IndexKind::put_per_row, per_row(type), {}});
}

void lower_max_pool_index(Lowering& lowering, const Equation& equation) {
  call_by_index(lowering, equation, windows_of(lowering, equation));
}

void lower_one_hot(Lowering& lowering, const Equation& equation) {
  const int64_t labels = input_shape(lowering, equation).elements();
  const RowsSpec spec{.dtype = output_type(lowering, equation).dtype,
                      .outer = labels,
                      .extent = equation.attributes.integer("classes"),
                      .count = labels};
  call_by_index(lowering, equation, IndexSpec{IndexKind::one_hot, spec, {}});
}

}  // namespace outerloop::exec
