#pragma once
// What steps read and write of memory, by their specs alone.

#include <cstdint>
#include <vector>

#include "exec/plan/program_plan.h"

namespace outerloop::exec {

// Bytes of each operand of a step, in their order: every element that the step reads or writes,
// once, however often it does so.
std::vector<int64_t> touched_bytes(const StepSpec& spec);

// The sum over all operands of a table's steps; without the arena, where that is no memory.
int64_t traffic_of(const StepTable& table, bool with_arena);

}  // namespace outerloop::exec
