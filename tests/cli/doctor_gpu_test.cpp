// What doctor says of kernels and NCCL where there is a GPU: the driver is a stand-in.

#include <cstdlib>

#include "cli/call.h"
#include "io/temporary_folder.h"
#include "support/variable.h"

namespace outerloop::cli {
namespace {

Result doctor(const char* library) {
  const TemporaryFolder folder;
  setenv("OUTERLOOP_CACHE", folder.path().c_str(), 1);
  setenv("OUTERLOOP_NCCL", library, 1);
  Result result = call({"doctor", folder.path().string()});
  EXPECT_TRUE(contains(result.out, "gpus          Fake")) << result.out;
  EXPECT_TRUE(contains(result.out, "runtime.device=cuda uses them, with NVRTC ") ||
              contains(result.out, "NVRTC, which cannot be loaded"))
      << result.out;
  return result;
}

TEST(DoctorOnGpus, CallsANcclBadThatTrainingsRefuse) {
  const Result result = doctor("/nowhere/libnccl.so.2");
  EXPECT_EQ(result.code, kFailed);
  EXPECT_TRUE(contains(result.out, "BAD  nccl          OUTERLOOP_NCCL names none that can be used"))
      << result.out;
  EXPECT_TRUE(contains(result.out, "-> NCCL cannot be loaded (/nowhere/libnccl.so.2: "))
      << result.out;
}

TEST(DoctorOnGpus, NamesTheNcclThatRanksUse) {
  const Result result = doctor(OUTERLOOP_FAKE_NCCL);
  EXPECT_EQ(result.code, kDone) << result.out;
  EXPECT_TRUE(contains(result.out, "ok   nccl          2.")) << result.out;
  EXPECT_TRUE(contains(result.out, ": ranks with a GPU each use it")) << result.out;
}

TEST(DoctorOnGpus, SaysThatADriverDoesNotWork) {
  const testing_support::Variable mismatch("FAKE_CUDA_INIT", "803");
  const TemporaryFolder folder;
  const Result result = call({"doctor", folder.path().string()});
  EXPECT_EQ(result.code, kDone) << result.out;
  EXPECT_TRUE(contains(result.out, "note gpus          a driver that this program cannot use"))
      << result.out;
  EXPECT_TRUE(contains(result.out, "-> the NVIDIA driver does not start, ")) << result.out;
  EXPECT_TRUE(contains(result.out, "ok   nccl          none is needed")) << result.out;
}

}  // namespace
}  // namespace outerloop::cli
