#include "exec/plan/body_analysis.h"

#include <algorithm>

namespace outerloop::exec {
namespace {

size_t index(ValueId value) {
  return static_cast<size_t>(value.index);
}

}  // namespace

BodyAnalysis::BodyAnalysis(const Program& body) : body_(body), producer_(producers(body)) {
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

const Equation* BodyAnalysis::maker(ValueId value) const {
  const int32_t e = producer_[static_cast<size_t>(value.index)];
  return e < 0 ? nullptr : &body_.equations[static_cast<size_t>(e)];
}

bool BodyAnalysis::may_run_in_place() const {
  return std::ranges::all_of(body_.equations, [](const Equation& equation) {
    return equation.op->group != OpGroup::elementwise || equation.op->in_place;
  });
}

BodyOperand BodyAnalysis::access(const Equation& equation, ValueId input) const {
  if (equation.op->group == OpGroup::broadcast) {
    return {input, passes::broadcast_access(body_.type(input).shape,
                                            equation.attributes.integers("axes"))};
  }
  return {input, passes::dense_access(shape_), true};
}

void BodyAnalysis::collect(const Equation& equation) {
  for (ValueId input : equation.inputs) {
    if (maker(input) != nullptr) continue;
    const BodyOperand operand = access(equation, input);
    if (std::ranges::find(operands_, operand) == operands_.end()) operands_.push_back(operand);
  }
}

ScalarBody BodyAnalysis::scalars() const {
  const int first = head_ != nullptr ? 1 : 0;
  ScalarBuilder builder(dtype_, first + static_cast<int>(operands_.size()));
  std::vector<Scalar> known(body_.values.size());
  if (head_ != nullptr) known[index(head_->outputs.front())] = builder.input(0);
  const auto operand = [&](const BodyOperand& wanted) {
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

}  // namespace outerloop::exec
