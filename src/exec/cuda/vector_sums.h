#pragma once
// The kernel behind outerloop/exec/cuda_vector_sums.h.

#include "exec/cuda/source.h"

namespace outerloop::exec::cuda {

// Operand: a table of 64-bit words, which has the numbers of terms and of elements, where the sum
// goes, and of each term where it is and the additions after it. A thread makes one element.
KernelCode vector_sums_kernel();

}  // namespace outerloop::exec::cuda
