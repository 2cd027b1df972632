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
  const NcclConnection connection = connect_nccl(group.rank(0), device, "GPU-0");
  EXPECT_EQ(connection.ranks, nullptr);
  EXPECT_EQ(
      connection.note,
      "this program was built where nccl.h or CUDA's headers were not found: sums of ranks with "
      "a GPU each go through host memory");
  EXPECT_THROW(nccl_version(), NcclError);
}

}  // namespace
}  // namespace outerloop::comm
