#include "outerloop/ir/builder.h"

#include <fmt/format.h>

#include "outerloop/base/error.h"
#include "outerloop/ir/op_def.h"

namespace outerloop {
namespace {

std::vector<TensorType> infer(const OpDef& op, TypeSpan inputs, const Attributes& attributes) {
  try {
    return op.infer(inputs, attributes);
  } catch (const BadInput& error) {
    throw BadInput(fmt::format("[{}] {}", op.name, error.what()));
  }
}

}  // namespace

TensorType Expr::type() const {
  OL_ASSERT(valid(), "a symbolic zero has no type");
  return builder_->program().type(id_);
}

Expr Builder::input(std::string name, TensorType type, Binding binding) {
  OL_ASSERT(program_.input_index(name) < 0, fmt::format("two inputs are called '{}'", name));
  const ValueId id = program_.add_value(type);
  program_.inputs.push_back({id, binding, std::move(name)});
  return {this, id};
}

void Builder::output(std::string name, Expr value) {
  OL_ASSERT(program_.output_index(name) < 0, fmt::format("two outputs are called '{}'", name));
  OL_ASSERT(value.valid(), fmt::format("output '{}' is a symbolic zero", name));
  program_.outputs.push_back({value.id(), std::move(name)});
}

std::vector<Expr> Builder::apply_multiple(const OpDef& op, std::span<const Expr> inputs,
                                          Attributes attributes) {
  Equation equation{.op = &op, .attributes = std::move(attributes)};
  std::vector<TensorType> types;
  for (const Expr& input : inputs) {
    OL_ASSERT(input.valid() && &input.builder() == this,
              fmt::format("[{}] an input belongs to another program or is a zero", op.name));
    equation.inputs.push_back(input.id());
    types.push_back(input.type());
  }
  OL_ASSERT(op.arity < 0 || static_cast<size_t>(op.arity) == inputs.size(),
            fmt::format("[{}] takes {} inputs, got {}", op.name, op.arity, inputs.size()));
  std::vector<Expr> results;
  for (const TensorType& type : infer(op, types, equation.attributes)) {
    const ValueId id = program_.add_value(type);
    equation.outputs.push_back(id);
    results.emplace_back(this, id);
  }
  program_.equations.push_back(std::move(equation));
  return results;
}

Expr Builder::apply(const OpDef& op, std::span<const Expr> inputs, Attributes attributes) {
  std::vector<Expr> results = apply_multiple(op, inputs, std::move(attributes));
  OL_ASSERT(results.size() == 1, fmt::format("[{}] has {} outputs", op.name, results.size()));
  return results.front();
}

std::vector<Expr> Builder::inline_program(const Program& program, std::span<const Expr> arguments) {
  OL_ASSERT(arguments.size() == program.inputs.size(),
            fmt::format("{} arguments for {} inputs", arguments.size(), program.inputs.size()));
  std::vector<Expr> bound(program.values.size());
  for (size_t i = 0; i < arguments.size(); ++i) {
    bound[static_cast<size_t>(program.inputs[i].value.index)] = arguments[i];
  }
  for (const Equation& equation : program.equations) {
    std::vector<Expr> inputs;
    for (ValueId input : equation.inputs) inputs.push_back(bound[static_cast<size_t>(input.index)]);
    const std::vector<Expr> outputs = apply_multiple(*equation.op, inputs, equation.attributes);
    for (size_t i = 0; i < outputs.size(); ++i) {
      bound[static_cast<size_t>(equation.outputs[i].index)] = outputs[i];
    }
  }
  std::vector<Expr> results;
  for (const ProgramOutput& output : program.outputs) {
    results.push_back(bound[static_cast<size_t>(output.value.index)]);
  }
  return results;
}

Program Builder::finish() {
  verify(program_);
  return std::exchange(program_, {});
}

}  // namespace outerloop
