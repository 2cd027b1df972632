#pragma once
// What device programs are checked on: the host's stand-in, or a GPU. Each test program links one.

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string_view>

#include "outerloop/base/error.h"
#include "outerloop/exec/cuda.h"

namespace outerloop::testing_support {

// Each is of its own, for one thread. Throws BadInput where it cannot be had.
std::shared_ptr<exec::Device> test_device(
    exec::cuda::Products products = exec::cuda::Products::ordered);
bool on_gpu();

// Ends a test, or all, that cannot be made on this machine: a failure where OUTERLOOP_REQUIRE_GPU=1
// says that it must be.
inline void skip_without(const BadInput& missing) {
  const char* required = std::getenv("OUTERLOOP_REQUIRE_GPU");
  if (required != nullptr && std::string_view(required) == "1") FAIL() << missing.what();
  GTEST_SKIP() << missing.what();
}

}  // namespace outerloop::testing_support
