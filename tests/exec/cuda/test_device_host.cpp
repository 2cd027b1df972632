#include "exec/cuda/host_device.h"
#include "exec/cuda/test_device.h"

namespace outerloop::testing_support {

std::shared_ptr<exec::Device> test_device() {
  return std::make_shared<HostDevice>();
}

bool on_gpu() {
  return false;
}

}  // namespace outerloop::testing_support
