// What a build without the headers of CUDA and cuBLAS has in their place: this program holds all of
// it, and the stand-ins for a GPU use it.

#include <gtest/gtest.h>

#include "exec/cuda/test_device.h"
#include "io/temporary_folder.h"
#include "outerloop/base/error.h"
#include "support/message_of.h"

namespace outerloop::exec::cuda {
namespace {

TEST(WithoutCuda, ADeviceIsRefusedWithTheWayOut) {
  EXPECT_TRUE(visible_devices().empty());
  EXPECT_CONTAINS(message_of<BadInput>([] { open_device(0, Products::ordered); }),
                  "without CUDA: build it where the CUDA toolkit's headers are, or set "
                  "runtime.device=cpu");
}

TEST(WithoutCuda, FastProductsAreRefusedWithTheWayOut) {
  EXPECT_CONTAINS(message_of<BadInput>([] { testing_support::test_device(Products::float32); }),
                  "build it where cublas_v2.h is, or set runtime.numerics=ordered");
}

}  // namespace
}  // namespace outerloop::exec::cuda
