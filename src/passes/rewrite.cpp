#include "passes/rewrite.h"

#include <algorithm>

namespace outerloop::passes {

std::vector<int32_t> live_uses(const Program& program) {
  std::vector<int32_t> uses(program.values.size(), 0);
  const auto at = [&](ValueId id) -> int32_t& { return uses[static_cast<size_t>(id.index)]; };
  for (const ProgramOutput& output : program.outputs) ++at(output.value);
  for (size_t e = program.equations.size(); e-- > 0;) {
    const Equation& equation = program.equations[e];
    if (std::ranges::all_of(equation.outputs, [&](ValueId id) { return at(id) == 0; })) continue;
    for (ValueId input : equation.inputs) ++at(input);
  }
  return uses;
}

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
