#include "outerloop/exec/device.h"

#include <utility>

#include "outerloop/base/error.h"

namespace outerloop::exec {

void Device::multiply(const DeviceStream&, const DeviceProduct&, int64_t, const DeviceOperand&,
                      const DeviceOperand&, const DeviceOperand&) {
  throw_internal_error("multiplies()", __FILE__, __LINE__, "this device has no library for it");
}

DeviceMemory Device::counted(DeviceMemory memory) {
  *held_bytes_ += memory.bytes;
  void* const address = memory.owner.get();
  memory.owner = {address, [owner = std::move(memory.owner), held = held_bytes_,
                            bytes = memory.bytes](void*) { *held -= bytes; }};
  return memory;
}

}  // namespace outerloop::exec
