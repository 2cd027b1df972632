#include "outerloop/ops/records.h"

#include <algorithm>
#include <array>

namespace outerloop {
namespace {

constexpr std::array kOps{
    &ops::constant,
    &ops::iota,
    &ops::neg,
    &ops::exp,
    &ops::log,
    &ops::sqrt,
    &ops::rsqrt,
    &ops::tanh,
    &ops::logistic,
    &ops::sin,
    &ops::cos,
    &ops::abs,
    &ops::relu,
    &ops::square,
    &ops::reciprocal,
    &ops::sign,
    &ops::pow,
    &ops::stop_gradient,
    &ops::add,
    &ops::sub,
    &ops::mul,
    &ops::div,
    &ops::maximum,
    &ops::minimum,
    &ops::less,
    &ops::less_equal,
    &ops::equal,
    &ops::select,
    &ops::broadcast,
    &ops::sum,
    &ops::reduce_max,
    &ops::reshape,
    &ops::transpose,
    &ops::slice,
    &ops::pad,
    &ops::concat,
    &ops::gather,
    &ops::scatter_add,
    &ops::take_per_row,
    &ops::put_per_row,
    &ops::take,
    &ops::scatter,
    &ops::max_pool_index,
    &ops::one_hot,
    &ops::matmul,
    &ops::cholesky,
    &ops::triangular_solve,
    &ops::triangle,
    &ops::conv2d,
    &ops::conv2d_input,
    &ops::conv2d_filter,
    &ops::random_uniform,
    &ops::fused,
};

}  // namespace

std::span<const OpDef* const> all_ops() {
  return kOps;
}

const OpDef* find_op(std::string_view name) {
  const auto found = std::ranges::find(kOps, name, [](const OpDef* op) { return op->name; });
  return found == kOps.end() ? nullptr : *found;
}

double flops_of(const Program& program, const Equation& equation) {
  std::vector<TensorType> inputs, outputs;
  for (ValueId id : equation.inputs) inputs.push_back(program.type(id));
  for (ValueId id : equation.outputs) outputs.push_back(program.type(id));
  if (equation.op->flops != nullptr) {
    return equation.op->flops(inputs, outputs, equation.attributes);
  }
  double elements = 0;
  for (const TensorType& output : outputs) elements += static_cast<double>(output.shape.elements());
  return elements;
}

double dense_flops_of(const Program& program, const Equation& equation) {
  if (equation.op->group == OpGroup::contraction) return flops_of(program, equation);
  if (equation.op->group != OpGroup::fused) return 0;
  return flops_of(*equation.attributes.program("body")).dense;
}

Flops flops_of(const Program& program) {
  Flops sum;
  for (const Equation& equation : program.equations) {
    sum.all += flops_of(program, equation);
    sum.dense += dense_flops_of(program, equation);
  }
  return sum;
}

}  // namespace outerloop
