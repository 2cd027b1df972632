#include "ops/rules.h"

#include <algorithm>

namespace outerloop::rules {

void require_rank(const TensorType& type, int rank, std::string_view what) {
  require(type.shape.rank() == rank, "{} must have {} axes, got {}", what, rank, to_string(type));
}

void require_floating(const TensorType& type, std::string_view what) {
  require(is_floating(type.dtype), "{} must be f32 or f64, got {}", what, to_string(type));
}

void require_indices(const TensorType& type, std::string_view what) {
  require(type.dtype == DType::i32, "{} must be i32, got {}", what, to_string(type));
}

void require_same(const TensorType& a, const TensorType& b, std::string_view what) {
  require(a == b, "{} must agree: {} and {}", what, to_string(a), to_string(b));
}

DType dtype_attribute(const Attributes& attributes) {
  const int64_t value = attributes.integer("dtype");
  OL_ASSERT(value >= 0 && value <= 2, fmt::format("{} is no element type", value));
  return static_cast<DType>(value);
}

Expr minus(Expr a, Expr b) {
  if (!b.valid()) return a;
  return a.valid() ? a - b : -b;
}

Expr linear_jvp(const JvpArguments& arguments) {
  if (!arguments.tangents[0].valid()) return {};
  std::vector<Expr> inputs(arguments.inputs.begin(), arguments.inputs.end());
  inputs[0] = arguments.tangents[0];
  return inputs[0].builder().apply(*arguments.equation.op, inputs, arguments.equation.attributes);
}

Expr bilinear_jvp(const JvpArguments& a) {
  const auto with = [&](size_t place) -> Expr {
    if (!a.tangents[place].valid()) return {};
    std::vector<Expr> inputs(a.inputs.begin(), a.inputs.end());
    inputs[place] = a.tangents[place];
    return a.output.builder().apply(*a.equation.op, inputs, a.equation.attributes);
  };
  const Expr first = with(0);
  return plus(first, with(1));
}

Axes other_axes(int rank, std::span<const int64_t> axes) {
  Axes result;
  for (int64_t axis = 0; axis < rank; ++axis) {
    if (std::ranges::find(axes, axis) == axes.end()) result.push_back(axis);
  }
  return result;
}

int64_t normalised(int64_t axis, int rank) {
  require(axis >= -rank && axis < rank, "axis {} is outside the {} axes", axis, rank);
  return axis < 0 ? axis + rank : axis;
}

Axes normalised(const Axes& axes, int rank) {
  Axes result;
  for (int64_t axis : axes) result.push_back(normalised(axis, rank));
  std::ranges::sort(result);
  require(std::ranges::adjacent_find(result) == result.end(), "an axis is given twice: [{}]",
          fmt::join(axes, ", "));
  return result;
}

double no_flops(TypeSpan, TypeSpan, const Attributes&) {
  return 0;
}

double one_flop_per_input(TypeSpan inputs, TypeSpan, const Attributes&) {
  return static_cast<double>(inputs[0].shape.elements());
}

}  // namespace outerloop::rules
