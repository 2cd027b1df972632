#pragma once
// The kernel behind outerloop/exec/cuda_bit_sums.h.

#include <vector>

#include "exec/cuda/source.h"

namespace outerloop::exec::cuda {

KernelCode bit_sums_kernel(const std::vector<int64_t>& ends);

}  // namespace outerloop::exec::cuda
