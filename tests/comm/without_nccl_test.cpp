// Linked with what stands in for NCCL where its header is missing.

#include <gtest/gtest.h>

#include "comm/fake_stream.h"
#include "outerloop/comm/local.h"
#include "outerloop/comm/nccl.h"

namespace outerloop::comm {
namespace {

TEST(WithoutNccl, SaysThatItWasBuiltSo) {
  LocalGroup group(1);
  FakeDevice device;
  try {
    connect_nccl(group.rank(0), device, "GPU-0");
    FAIL() << "must throw";
  } catch (const NcclError& error) {
    EXPECT_EQ(std::string(error.what()).find("built without NCCL: "), 0u) << error.what();
  }
}

}  // namespace
}  // namespace outerloop::comm
