#pragma once
// The kernel behind outerloop/exec/cuda_images.h.

#include "exec/cuda/source.h"
#include "outerloop/exec/cuda_images.h"

namespace outerloop::exec::cuda {

// Operands: images, names, values.
KernelCode images_kernel(const ImageSize& size, int64_t rows);

}  // namespace outerloop::exec::cuda
