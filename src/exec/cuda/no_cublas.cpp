// A build without cuBLAS's headers.

#include "exec/cuda/cublas.h"
#include "outerloop/base/error.h"

namespace outerloop::exec::cuda {

struct Cublas::Impl {};

Cublas::Cublas(Products, DeviceMemory, int) {  // NOLINT(performance-unnecessary-value-param)
  throw BadInput(
      "this program was built without cuBLAS, which makes fast products: build it where "
      "cublas_v2.h is, or set runtime.numerics=ordered");
}
Cublas::~Cublas() = default;

const std::string& Cublas::name() const {
  throw_internal_error("Cublas", __FILE__, __LINE__, "there is none");
}
void Cublas::multiply(void*, const DeviceProduct&, int64_t, const DeviceOperand&,
                      const DeviceOperand&, const DeviceOperand&) {}

}  // namespace outerloop::exec::cuda
