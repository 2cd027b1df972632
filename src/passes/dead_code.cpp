#include <algorithm>

#include "outerloop/passes/pass.h"
#include "passes/rewrite.h"

namespace outerloop::passes {

Program remove_dead_code(const Program& program) {
  const std::vector<int32_t> uses = live_uses(program);
  const auto is_needed = [&](ValueId id) { return uses[static_cast<size_t>(id.index)] > 0; };
  Rewriter rewriter(program);
  for (const Equation& equation : program.equations) {
    if (std::ranges::any_of(equation.outputs, is_needed)) rewriter.copy(equation);
  }
  return rewriter.finish();
}

}  // namespace outerloop::passes
