#pragma once
// A lowered program with its memory planned.

#include <memory>
#include <vector>

#include "exec/cpu/plan.h"
#include "outerloop/exec/executable.h"
#include "outerloop/ops/records.h"

namespace outerloop::exec {

enum class Place : uint8_t { unused, input, output, lane_arena, shared_arena };

struct Location {
  Place place = Place::unused;
  int64_t at = 0;  // input or output number, or offset in bytes
};

// Steps that run together, with the kernels' operands as locations.
struct StepList {
  std::vector<Kernel> kernels;
  std::vector<int32_t> first_operand;  // one more than kernels
  std::vector<Location> operands;
  std::vector<int32_t> equation;  // of the optimised program; -1 for copies to outputs
};

struct Executable::Impl {
  Isa isa = Isa::scalar;
  Program optimised;
  StepList shared;
  StepList lane;
  int64_t lane_arena_bytes = 0;
  int64_t shared_arena_bytes = 0;
  int64_t peak_live_bytes = 0;
  Flops lane_flops;
  Flops shared_flops;
};

std::unique_ptr<const Executable::Impl> plan(Program optimised, Isa isa, KernelCache& kernels);

}  // namespace outerloop::exec
