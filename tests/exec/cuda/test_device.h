#pragma once
// What device programs are checked on: the host's stand-in, or a GPU. Each test program links one.

#include <memory>

#include "outerloop/exec/device.h"

namespace outerloop::testing_support {

// Each is of its own, for one thread.
std::shared_ptr<exec::Device> test_device();
bool on_gpu();

}  // namespace outerloop::testing_support
