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
  std::vector<Location> operands;  // outside of the lane's arena
};

// Nothing where a lane's arena is larger than shared memory, or the program is too long for one
// kernel.
std::optional<MegaKernel> mega_kernel(const StepTable& lane, int64_t arena_bytes,
                                      const DeviceLimits& limits);

}  // namespace outerloop::exec::cuda
