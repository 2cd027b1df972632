#include "passes/rewrite.h"

namespace outerloop::passes {

Rewriter::Rewriter(const Program& source) : source_(source), exprs_(source.values.size()) {
  for (const ProgramInput& input : source.inputs) {
    replace(input.value, builder_.input(input.name, source.type(input.value), input.binding));
  }
}

std::vector<Expr> Rewriter::operator[](const std::vector<ValueId>& old) const {
  std::vector<Expr> result;
  result.reserve(old.size());
  for (ValueId id : old) result.push_back((*this)[id]);
  return result;
}

void Rewriter::copy(const Equation& equation) {
  const std::vector<Expr> outputs =
      builder_.apply_multiple(*equation.op, (*this)[equation.inputs], equation.attributes);
  for (size_t i = 0; i < outputs.size(); ++i) replace(equation.outputs[i], outputs[i]);
}

Program Rewriter::finish() {
  for (const ProgramOutput& output : source_.outputs) {
    builder_.output(output.name, (*this)[output.value]);
  }
  return builder_.finish();
}

}  // namespace outerloop::passes
