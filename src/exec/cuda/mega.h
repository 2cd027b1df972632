#pragma once
// A program as one kernel: each lane is one block, its arena lies in shared memory, its steps run
// one after the other with a barrier between. For small programs, whose kernels take less time than
// their launches.

#include <optional>
#include <vector>

#include "exec/cuda/source.h"
#include "exec/plan/program_plan.h"

namespace outerloop::exec::cuda {

struct MegaKernel {
  KernelSource source;
  int threads = 0;
  std::vector<Location> operands;  // outside of shared memory
  int64_t overflow_bytes = 0;      // of a lane, in the device's memory
  int64_t traffic_bytes = 0;       // of a lane, with that
};

// Of a program after its passes. Values that shared memory has no room for, the longest-lived ones,
// are in the device's memory. Without a kernel where the program is too long or too short for one,
// or where it has more to compute than a block should.
struct MegaChoice {
  std::optional<MegaKernel> kernel;
  std::string why_not;
};
MegaChoice mega_kernel(const Program& optimised, const DeviceLimits& limits);

}  // namespace outerloop::exec::cuda
