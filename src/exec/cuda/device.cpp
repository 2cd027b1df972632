#include "outerloop/exec/device.h"

#include <algorithm>
#include <utility>

#include "outerloop/base/error.h"

namespace outerloop::exec {

void Device::multiply(const DeviceStream&, const DeviceProduct&, int64_t, const DeviceOperand&,
                      const DeviceOperand&, const DeviceOperand&) {
  throw_internal_error("multiplies()", __FILE__, __LINE__, "this device has no library for it");
}

DeviceMemory Device::counted(DeviceMemory memory) {
  held_->bytes += memory.bytes;
  held_->most = std::max(held_->most, held_->bytes);
  void* const address = memory.owner.get();
  memory.owner = {address, [owner = std::move(memory.owner), held = held_,
                            bytes = memory.bytes](void*) { held->bytes -= bytes; }};
  return memory;
}

}  // namespace outerloop::exec
