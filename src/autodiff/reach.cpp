#include "autodiff/reach.h"

#include <algorithm>

namespace outerloop::autodiff {
namespace {

template <class Set>
bool any_in(const std::vector<ValueId>& values, const Set& set) {
  return std::ranges::any_of(values, [&](ValueId id) { return set.contains(id); });
}

}  // namespace

Reach reach(const Program& program, std::span<const Expr> inputs, std::span<const Expr> outputs) {
  Reach result;
  ValueSet independent;
  for (const Expr& input : inputs) {
    independent.insert(input.id());
    result.changed.insert(input.id());
  }
  std::vector<size_t> forward;
  for (size_t e = 0; e < program.equations.size(); ++e) {
    const Equation& equation = program.equations[e];
    if (!differentiable(*equation.op) || !any_in(equation.inputs, result.changed) ||
        any_in(equation.outputs, independent)) {
      continue;
    }
    forward.push_back(e);
    for (ValueId output : equation.outputs) {
      if (is_floating(program.type(output).dtype)) result.changed.insert(output);
    }
  }
  ValueSet wanted;
  for (const Expr& output : outputs) {
    if (output.valid()) wanted.insert(output.id());
  }
  for (size_t i = forward.size(); i-- > 0;) {
    const Equation& equation = program.equations[forward[i]];
    if (!any_in(equation.outputs, wanted)) continue;
    result.equations.push_back(forward[i]);
    for (ValueId input : equation.inputs) wanted.insert(input);
  }
  std::ranges::reverse(result.equations);
  return result;
}

}  // namespace outerloop::autodiff
