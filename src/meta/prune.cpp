#include "meta/prune.h"

#include <algorithm>
#include <vector>

namespace outerloop::meta {

namespace {

std::vector<bool> needed_values(const Program& program) {
  std::vector<bool> needed(program.values.size(), false);
  const auto mark = [&](ValueId id) { needed[static_cast<size_t>(id.index)] = true; };
  const auto is_needed = [&](ValueId id) { return needed[static_cast<size_t>(id.index)]; };
  for (const ProgramOutput& output : program.outputs) mark(output.value);
  for (auto equation = program.equations.rbegin(); equation != program.equations.rend();
       ++equation) {
    if (std::ranges::any_of(equation->outputs, is_needed)) {
      std::ranges::for_each(equation->inputs, mark);
      std::ranges::for_each(equation->outputs, mark);
    }
  }
  return needed;
}

}  // namespace

Program without_unused(const Program& program) {
  const std::vector<bool> needed = needed_values(program);
  Program result;
  std::vector<ValueId> renamed(program.values.size());
  const auto old = [&](ValueId id) -> ValueId& { return renamed[static_cast<size_t>(id.index)]; };
  const auto is_needed = [&](ValueId id) { return needed[static_cast<size_t>(id.index)]; };
  for (const ProgramInput& input : program.inputs) {
    if (!is_needed(input.value)) continue;
    old(input.value) = result.add_value(program.type(input.value));
    result.inputs.push_back({old(input.value), input.binding, input.name});
  }
  for (const Equation& equation : program.equations) {
    if (std::ranges::none_of(equation.outputs, is_needed)) continue;
    Equation kept = equation;
    for (ValueId& id : kept.inputs) id = old(id);
    for (ValueId& id : kept.outputs) id = old(id) = result.add_value(program.type(id));
    result.equations.push_back(std::move(kept));
  }
  for (const ProgramOutput& output : program.outputs) {
    result.outputs.push_back({old(output.value), output.name});
  }
  return result;
}

}  // namespace outerloop::meta
