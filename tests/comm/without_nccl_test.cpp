// Linked with what stands in for NCCL where its header is missing.

#include <gtest/gtest.h>

#include "comm/fake_stream.h"
#include "outerloop/comm/agreement.h"
#include "outerloop/comm/local.h"
#include "outerloop/comm/nccl.h"

namespace outerloop::comm {
namespace {

NcclOptions named(const std::string& file) {
  return {.named = file};
}

void expect_note(const std::vector<std::string>& gpus, const std::string& note) {
  run_ranks(std::vector<std::string>(gpus.size(), "n0"), [&](Communicator& host) {
    FakeDevice device;
    const NcclConnection connection =
        connect_nccl(host, device, gpus[static_cast<size_t>(host.rank())], named(""));
    EXPECT_EQ(connection.ranks, nullptr);
    EXPECT_EQ(connection.note, note);
  });
}

TEST(WithoutNccl, SumsGoThroughTheHosts) {
  expect_note({"GPU-0", "GPU-1"},
              "this program was built without NCCL: build it where nccl.h and CUDA's headers are; "
              "until then the sums over the ranks go through host memory");
  EXPECT_THROW(nccl_version(named("")), NcclError);
}

TEST(WithoutNccl, RanksThatShareAGpuAreNamed) {
  expect_note({"GPU-0", "GPU-1", "GPU-0"},
              "ranks 0 and 2 share GPU-0 on n0, which NCCL refuses: the sums over the ranks go "
              "through host memory");
}

TEST(WithoutNccl, ALibraryThatIsNamedIsRefused) {
  const std::string refusal =
      "OUTERLOOP_NCCL names /opt/libnccl.so.2, and this program was built without NCCL: build it "
      "where nccl.h and CUDA's headers are, or unset it";
  run_ranks(2, [&](Communicator& host) {
    FakeDevice device;
    try {
      connect_nccl(host, device, std::to_string(host.rank()), named("/opt/libnccl.so.2"));
      ADD_FAILURE() << "connected";
    } catch (const AgreedBadInput& error) {
      EXPECT_EQ(error.what(), refusal);
    }
  });
  EXPECT_THROW(nccl_version(named("/opt/libnccl.so.2")), BadInput);
}

}  // namespace
}  // namespace outerloop::comm
