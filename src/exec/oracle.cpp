#include "outerloop/exec/oracle.h"

#include <fmt/format.h>

#include <algorithm>

#include "exec/oracle_kernels.h"
#include "outerloop/base/error.h"
#include "outerloop/base/philox.h"
#include "outerloop/ops/records.h"

namespace outerloop::exec {
namespace oracle {
namespace {

struct Entry {
  const OpDef* op;
  Kernel kernel;
};

// Elementwise ops and `fused` need no entry: their records define them.
constexpr Entry kKernels[] = {
    {&ops::constant, fill_constant},
    {&ops::iota, fill_iota},
    {&ops::random_uniform, random_uniform},
    {&ops::sum, sum},
    {&ops::reduce_max, reduce_max},
    {&ops::broadcast, broadcast},
    {&ops::reshape, reshape},
    {&ops::transpose, transpose},
    {&ops::slice, slice},
    {&ops::pad, pad},
    {&ops::concat, concat},
    {&ops::gather, gather},
    {&ops::scatter_add, scatter_add},
    {&ops::take_per_row, take_per_row},
    {&ops::put_per_row, put_per_row},
    {&ops::take, take},
    {&ops::scatter, scatter},
    {&ops::max_pool_index, max_pool_index},
    {&ops::one_hot, one_hot},
    {&ops::matmul, matmul},
    {&ops::conv2d, conv2d},
    {&ops::conv2d_input, conv2d_input},
    {&ops::conv2d_filter, conv2d_filter},
    {&ops::cholesky, cholesky},
    {&ops::triangular_solve, triangular_solve},
    {&ops::triangle, triangle},
};

}  // namespace

Kernel find_kernel(const OpDef& op) {
  const auto entry = std::ranges::find(kKernels, &op, &Entry::op);
  return entry == std::end(kKernels) ? nullptr : entry->kernel;
}

namespace {

// One equation, given its inputs and the types of its outputs.
std::vector<Tensor> evaluate(const Program& program, const Equation& equation, Tensors inputs) {
  const OpDef& op = *equation.op;
  if (op.group == OpGroup::fused) return interpret(*equation.attributes.program("body"), inputs);
  const TensorType& type = program.type(equation.outputs[0]);
  Tensor output(type.dtype, type.shape);
  if (op.group == OpGroup::elementwise) {
    elementwise(op, equation.attributes, inputs, output);
    return {output};
  }
  const Kernel kernel = find_kernel(op);
  OL_ASSERT(kernel != nullptr, fmt::format("the oracle has no kernel for {}", op.name));
  kernel(equation.attributes, inputs, output);
  return {output};
}

// By value: the last equation that reads it, or the number of equations for outputs.
std::vector<size_t> last_uses(const Program& program) {
  std::vector<size_t> result(program.values.size(), 0);
  for (size_t e = 0; e < program.equations.size(); ++e) {
    for (ValueId input : program.equations[e].inputs) result[static_cast<size_t>(input.index)] = e;
  }
  for (const ProgramOutput& output : program.outputs) {
    result[static_cast<size_t>(output.value.index)] = program.equations.size();
  }
  return result;
}

}  // namespace

void elementwise(const OpDef& op, const Attributes& attributes, Tensors inputs, Tensor& output) {
  const int count = static_cast<int>(inputs.size());
  ScalarBuilder builder(output.dtype(), count);
  std::vector<Scalar> arguments;
  for (int i = 0; i < count; ++i) arguments.push_back(builder.input(i));
  const Scalar result = op.scalar(arguments, attributes);
  const ScalarBody body = builder.finish({&result, 1});
  by_floating_type(output.dtype(), [&]<class T>(T) {
    std::vector<T> registers(body.instructions.size()), element(inputs.size());
    const std::span<T> results = output.as<T>();
    for (size_t i = 0; i < results.size(); ++i) {
      for (size_t k = 0; k < inputs.size(); ++k) element[k] = inputs[k].as<T>()[i];
      outerloop::evaluate<T>(body, element, results.subspan(i, 1), registers);
    }
  });
}

void fill_constant(const Attributes& attributes, Tensors, Tensor& output) {
  const double value = attributes.real("value");
  if (output.dtype() == DType::i32) {
    std::ranges::fill(output.as<int32_t>(), static_cast<int32_t>(value));
    return;
  }
  by_floating_type(output.dtype(),
                   [&]<class T>(T) { std::ranges::fill(output.as<T>(), static_cast<T>(value)); });
}

void fill_iota(const Attributes&, Tensors, Tensor& output) {
  const auto values = output.as<int32_t>();
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int32_t>(i);
}

void random_uniform(const Attributes& attributes, Tensors inputs, Tensor& output) {
  const auto key = inputs[0].as<int32_t>();
  const auto word = [&](size_t i) { return uint64_t{static_cast<uint32_t>(key[i])}; };
  const auto stream = static_cast<uint64_t>(attributes.integer("stream"));
  Philox numbers({.seed = word(0) | word(1) << 32,
                  .purpose = Purpose::dropout,
                  .iteration = word(2) | stream << 32,
                  .slot = static_cast<uint32_t>(word(3))});
  by_floating_type(output.dtype(), [&]<class T>(T) {
    for (T& value : output.as<T>()) value = static_cast<T>(numbers.uniform());
  });
}

}  // namespace oracle

std::vector<Tensor> interpret(const Program& program, std::span<const Tensor> inputs) {
  if (inputs.size() != program.inputs.size()) {
    throw BadInput(
        fmt::format("the program takes {} inputs, got {}", program.inputs.size(), inputs.size()));
  }
  std::vector<Tensor> values(program.values.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    const TensorType& type = program.type(program.inputs[i].value);
    const TensorType given{inputs[i].dtype(), inputs[i].shape()};
    if (given != type) {
      throw BadInput(fmt::format("input '{}' must be {}, got {}", program.inputs[i].name,
                                 to_string(type), to_string(given)));
    }
    values[static_cast<size_t>(program.inputs[i].value.index)] = inputs[i];
  }
  const std::vector<size_t> last_use = oracle::last_uses(program);
  for (size_t e = 0; e < program.equations.size(); ++e) {
    const Equation& equation = program.equations[e];
    std::vector<Tensor> arguments;
    for (ValueId id : equation.inputs) arguments.push_back(values[static_cast<size_t>(id.index)]);
    std::vector<Tensor> results = oracle::evaluate(program, equation, arguments);
    for (size_t i = 0; i < results.size(); ++i) {
      values[static_cast<size_t>(equation.outputs[i].index)] = std::move(results[i]);
    }
    for (ValueId id : equation.inputs) {
      const auto index = static_cast<size_t>(id.index);
      if (last_use[index] == e) values[index] = {};
    }
  }
  std::vector<Tensor> outputs;
  for (const ProgramOutput& output : program.outputs) {
    outputs.push_back(values[static_cast<size_t>(output.value.index)]);
  }
  return outputs;
}

}  // namespace outerloop::exec
