#pragma once
// The kernels behind outerloop/exec/cuda_step_log.h.

#include "exec/cuda/source.h"
#include "outerloop/exec/cuda_step_log.h"

namespace outerloop::exec::cuda {

// Operands: counters (step, updates), made, tables (3, steps), scalars.
KernelCode step_begin_kernel(int64_t most_steps);
// Operands: counters, rows, counts, gradient hashes, state hashes, made, losses, measures …, and
// accuracies where there are any.
KernelCode step_end_kernel(const StepRow& row);

}  // namespace outerloop::exec::cuda
