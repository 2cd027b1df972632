#include "outerloop/exec/device.h"

#include "outerloop/base/error.h"

namespace outerloop::exec {

void Device::multiply(const DeviceStream&, const DeviceProduct&, int64_t, const DeviceOperand&,
                      const DeviceOperand&, const DeviceOperand&) {
  throw_internal_error("multiplies()", __FILE__, __LINE__, "this device has no library for it");
}

}  // namespace outerloop::exec
