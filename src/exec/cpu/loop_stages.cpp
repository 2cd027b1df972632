#include "exec/cpu/loop_stages.h"

#include <algorithm>

namespace outerloop::exec {
namespace {

Level level_of(const LoopNest::Operand& operand, InnerAxis inner) {
  const int64_t step = inner == InnerAxis::rows ? operand.row : operand.column;
  if (step != 0) return Level::inner;
  if (operand.column != 0) return Level::column;
  const bool fixed =
      operand.row == 0 && std::ranges::all_of(operand.outer, [](int64_t s) { return s == 0; });
  return fixed ? Level::constant : Level::outer;
}

std::array<int32_t, 3> operands_of(const ScalarInstruction& instruction) {
  return {instruction.a, instruction.b, instruction.c};
}

}  // namespace

std::vector<Level> levels_of(const LoopNest& nest, InnerAxis inner) {
  std::vector<Level> levels;
  for (const ScalarInstruction& instruction : nest.body.instructions) {
    Level level = Level::constant;
    if (instruction.op == ScalarOp::input) {
      level = level_of(nest.operands[static_cast<size_t>(instruction.index)], inner);
    }
    for (int32_t operand : operands_of(instruction)) {
      if (operand >= 0) level = std::max(level, levels[static_cast<size_t>(operand)]);
    }
    levels.push_back(level);
  }
  return levels;
}

std::vector<int> invariant_results(const LoopNest& nest, std::span<const Level> levels) {
  const std::vector<ScalarInstruction>& instructions = nest.body.instructions;
  std::vector<bool> wanted(instructions.size(), false);
  for (size_t i = 0; i < instructions.size(); ++i) {
    for (int32_t operand : operands_of(instructions[i])) {
      if (operand >= 0 && levels[static_cast<size_t>(operand)] < levels[i]) {
        wanted[static_cast<size_t>(operand)] = true;
      }
    }
  }
  for (int32_t output : nest.body.outputs) wanted[static_cast<size_t>(output)] = true;
  std::vector<int> result;
  for (size_t i = 0; i < instructions.size(); ++i) {
    if (wanted[i] && levels[i] != Level::inner && instructions[i].is_operation()) {
      result.push_back(static_cast<int>(i));
    }
  }
  return result;
}

ScalarBody extract(const ScalarBody& body, std::span<const int> wanted,
                   std::span<const int> given) {
  std::vector<bool> needed(body.instructions.size(), false);
  const auto is_given = [&](size_t i) {
    return std::ranges::count(given, static_cast<int>(i)) > 0;
  };
  for (int value : wanted) needed[static_cast<size_t>(value)] = true;
  for (size_t i = body.instructions.size(); i-- > 0;) {
    if (!needed[i] || is_given(i)) continue;
    for (int32_t operand : operands_of(body.instructions[i])) {
      if (operand >= 0) needed[static_cast<size_t>(operand)] = true;
    }
  }
  ScalarBody part{.input_count = static_cast<int>(given.size())};
  std::vector<int32_t> renumbered(body.instructions.size(), -1);
  const auto renumber = [&](int32_t id) {
    return id < 0 ? id : renumbered[static_cast<size_t>(id)];
  };
  for (size_t i = 0; i < body.instructions.size(); ++i) {
    if (!needed[i]) continue;
    ScalarInstruction instruction = body.instructions[i];
    const auto place = std::ranges::find(given, static_cast<int>(i));
    if (place != given.end()) {
      instruction = {.op = ScalarOp::input, .index = static_cast<int32_t>(place - given.begin())};
    } else {
      instruction.a = renumber(instruction.a);
      instruction.b = renumber(instruction.b);
      instruction.c = renumber(instruction.c);
    }
    renumbered[i] = static_cast<int32_t>(part.instructions.size());
    part.instructions.push_back(instruction);
  }
  for (int value : wanted) part.outputs.push_back(renumber(value));
  return part;
}

}  // namespace outerloop::exec
