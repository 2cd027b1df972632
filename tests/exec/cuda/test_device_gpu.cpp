// The first GPU. Without one all tests of the program are skipped with the reason, or fail where
// OUTERLOOP_REQUIRE_GPU=1 says that there must be one.

#include <iostream>

#include "exec/cuda/test_device.h"

namespace outerloop::testing_support {
namespace {

// Keeps the driver's context for those that tests open.
std::shared_ptr<exec::Device>& device() {
  static std::shared_ptr<exec::Device> opened;
  return opened;
}

class Gpu : public ::testing::Environment {
 public:
  void SetUp() override {
    try {
      device() = exec::cuda::open_device(0);
      std::cout << "on " << device()->name() << "\n";
    } catch (const BadInput& missing) {
      skip_without(missing);
    }
  }
  void TearDown() override { device() = nullptr; }
};

[[maybe_unused]] const ::testing::Environment* const kGpu =
    ::testing::AddGlobalTestEnvironment(new Gpu);

}  // namespace

std::shared_ptr<exec::Device> test_device(exec::cuda::Products products) {
  return exec::cuda::open_device(0, products);
}

bool on_gpu() {
  return true;
}

}  // namespace outerloop::testing_support
