// A build without CUDA's headers.

#include "outerloop/base/error.h"
#include "outerloop/exec/cuda.h"

namespace outerloop::exec::cuda {

std::shared_ptr<Device> open_device(int, Products) {
  throw BadInput(
      "this program was built without CUDA: build it where the CUDA toolkit's headers are, or set "
      "runtime.device=cpu");
}

std::vector<std::string> visible_devices() {
  return {};
}

}  // namespace outerloop::exec::cuda
