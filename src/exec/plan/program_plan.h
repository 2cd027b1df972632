#pragma once
// A program lowered and with its memory planned: what every executor runs.

#include <cstdint>
#include <limits>
#include <vector>

#include "exec/plan/specs.h"
#include "outerloop/ir/program.h"
#include "outerloop/ops/records.h"

namespace outerloop::exec {

enum class Place : uint8_t { unused, input, output, lane_arena, lane_overflow, shared_arena };

struct Location {
  Place place = Place::unused;
  int64_t at = 0;  // input or output number, or offset in bytes
  bool operator==(const Location&) const = default;
};

// Steps that run one after the other, with their operands as locations.
struct StepTable {
  std::vector<StepSpec> specs;
  std::vector<int32_t> first_operand{0};  // one more than specs
  std::vector<Location> operands;
  std::vector<int32_t> equation;  // of the optimised program; -1 for copies to outputs
};

struct ProgramPlan {
  Program optimised;
  StepTable shared;  // what depends on shared inputs alone: once for all lanes
  StepTable lane;
  int64_t lane_arena_bytes = 0;
  int64_t lane_overflow_bytes = 0;
  int64_t shared_arena_bytes = 0;
  int64_t peak_live_bytes = 0;
  Flops lane_flops;
  Flops shared_flops;
};

struct PlanOptions {
  // Otherwise each lane computes for itself what depends on shared inputs alone.
  bool shares = true;
  // Of a lane's arena. Values that are longest there go to an arena of their own, the overflow,
  // until the others fit.
  int64_t most_arena_bytes = std::numeric_limits<int64_t>::max();
};

// `optimised` has gone through the required passes.
ProgramPlan plan_program(Program optimised, const PlanOptions& options = {});

}  // namespace outerloop::exec
