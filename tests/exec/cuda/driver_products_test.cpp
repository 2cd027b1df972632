// Fast products on the device behind the CUDA driver: stand-ins for the driver and for cuBLAS.

#include <gtest/gtest.h>

#include "exec/cuda/loaded_cublas.h"
#include "io/temporary_folder.h"
#include "outerloop/base/error.h"
#include "outerloop/exec/cuda.h"
#include "support/message_of.h"
#include "support/variable.h"

namespace outerloop::exec::cuda {
namespace {

using testing_support::Variable;

class ProductsBehindTheDriver : public ::testing::Test {
 protected:
  ~ProductsBehindTheDriver() override { fake() = {}; }
};

TEST_F(ProductsBehindTheDriver, BeginBeforeTheFirstRecording) {
  const std::shared_ptr<Device> device = open_device(0, Products::float32);
  EXPECT_EQ("Fake 0 (sm_90), cuBLAS 13.2.3, products in float32", device->name());
  const DeviceStream stream = device->make_stream();
  const Variable refused("FAKE_CUDA_CAPTURE", "900");
  EXPECT_THROW(device->begin_recording(stream), SystemFailure);
  ASSERT_EQ(1u, fake().gemms.size());
  EXPECT_EQ(stream.handle.get(), fake().gemms[0].stream);
  EXPECT_EQ(0u, device->launched_kernels());
}

TEST_F(ProductsBehindTheDriver, NameTheDriverWhereTheirLibraryDoesNotStart) {
  const Variable old("FAKE_CUDA_VERSION", "12080");
  fake().fails_to_start = true;
  const std::string words = message_of<SystemFailure>([] { open_device(0, Products::float32); });
  EXPECT_CONTAINS(words, "another failure, of " OUTERLOOP_FAKE_CUBLAS
                         " with a driver of CUDA 12.8: install the CUDA toolkit's cuBLAS library");
}

}  // namespace
}  // namespace outerloop::exec::cuda
