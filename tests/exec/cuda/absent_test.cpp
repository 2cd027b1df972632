// What a build without the headers of CUDA, cuBLAS and NCCL has in their place. This program holds
// those files, so it does not link when they lack what the others have.

#include <gtest/gtest.h>

#include <functional>
#include <string_view>

#include "exec/cuda/test_device.h"
#include "outerloop/comm/nccl.h"

namespace outerloop::exec::cuda {
namespace {

void expect_what_to_do(const std::function<void()>& call, std::string_view words) {
  try {
    call();
    ADD_FAILURE() << "no error that says " << words;
  } catch (const Error& error) {
    EXPECT_NE(std::string_view(error.what()).find(words), std::string_view::npos) << error.what();
  }
}

TEST(WithoutCuda, ADeviceSaysHowToBuildWithIt) {
  EXPECT_TRUE(visible_devices().empty());
  expect_what_to_do([] { open_device(0, Products::ordered); }, "set runtime.device=cpu");
}

TEST(WithoutCuda, FastProductsSayHowToBuildWithThem) {
  expect_what_to_do([] { testing_support::test_device(Products::float32); },
                    "set runtime.numerics=ordered");
}

TEST(WithoutCuda, NcclSaysHowToBuildWithIt) {
  expect_what_to_do([] { comm::nccl_version({}); }, "build it where nccl.h");
  expect_what_to_do([] { comm::nccl_version({.named = "libnccl.so"}); }, "or unset it");
}

}  // namespace
}  // namespace outerloop::exec::cuda
