#include "exec/cuda/multiplying_device.h"
#include "exec/cuda/test_device.h"

namespace outerloop::testing_support {

std::shared_ptr<exec::Device> test_device(exec::cuda::Products products) {
  if (products != exec::cuda::Products::ordered)
    return std::make_shared<MultiplyingDevice>(products);
  return std::make_shared<HostDevice>();
}

bool on_gpu() {
  return false;
}

}  // namespace outerloop::testing_support
