#include <algorithm>

#include "outerloop/passes/pass.h"
#include "passes/rewrite.h"

namespace outerloop::passes {

// Automatic differentiation puts the last sum of a gradient at the end of the program. Here it
// comes as soon as its terms are there, so that it can be sent on its way while the rest is
// computed.
Program move_outputs_early(const Program& program) {
  std::vector<bool> is_read(program.values.size(), false);
  for (const Equation& equation : program.equations) {
    for (ValueId id : equation.inputs) is_read[static_cast<size_t>(id.index)] = true;
  }
  const std::vector<int32_t> producer = producers(program);
  const auto moves = [&](const Equation& equation) {
    return std::ranges::none_of(equation.outputs,
                                [&](ValueId id) { return is_read[static_cast<size_t>(id.index)]; });
  };
  // By equation: those that move to the place before it; nothing moves past its last term.
  std::vector<std::vector<const Equation*>> moved(program.equations.size());
  for (const Equation& equation : program.equations) {
    if (!moves(equation)) continue;
    int32_t place = 0;
    for (ValueId id : equation.inputs) {
      place = std::max(place, producer[static_cast<size_t>(id.index)] + 1);
    }
    moved[static_cast<size_t>(place)].push_back(&equation);
  }
  Rewriter rewriter(program);
  for (size_t e = 0; e < program.equations.size(); ++e) {
    for (const Equation* equation : moved[e]) rewriter.copy(*equation);
    if (!moves(program.equations[e])) rewriter.copy(program.equations[e]);
  }
  return rewriter.finish();
}

}  // namespace outerloop::passes
