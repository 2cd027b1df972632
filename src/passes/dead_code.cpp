#include <algorithm>

#include "outerloop/passes/pass.h"
#include "passes/rewrite.h"

namespace outerloop::passes {

Program remove_dead_code(const Program& program) {
  std::vector<bool> needed(program.values.size(), false);
  const auto mark = [&](ValueId id) { needed[static_cast<size_t>(id.index)] = true; };
  const auto is_needed = [&](ValueId id) { return needed[static_cast<size_t>(id.index)]; };
  for (const ProgramOutput& output : program.outputs) mark(output.value);
  for (size_t e = program.equations.size(); e-- > 0;) {
    const Equation& equation = program.equations[e];
    if (std::ranges::any_of(equation.outputs, is_needed)) {
      std::ranges::for_each(equation.inputs, mark);
    }
  }
  Rewriter rewriter(program);
  for (const Equation& equation : program.equations) {
    if (std::ranges::any_of(equation.outputs, is_needed)) rewriter.copy(equation);
  }
  return rewriter.finish();
}

}  // namespace outerloop::passes
