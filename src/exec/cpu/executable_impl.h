#pragma once
// A planned program with its kernels.

#include <memory>
#include <vector>

#include "exec/cpu/kernel.h"
#include "exec/plan/program_plan.h"
#include "outerloop/exec/executable.h"

namespace outerloop::exec {

// Kernels that run together, with their operands as locations.
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
