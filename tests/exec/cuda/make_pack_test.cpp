#include "kernels/make_pack.h"

#include <gtest/gtest.h>

#include "exec/cuda/kernel_pack.h"
#include "exec/cuda/small_program.h"
#include "io/temporary_folder.h"
#include "kernels/collect.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"

namespace outerloop::kernels {
namespace {

// Apart, and as one kernel.
KernelsByName kernels_of_small_program() {
  const auto recorder = std::make_shared<Recorder>();
  recorder->begin("a test", kMostShared);
  using exec::cuda::Steps;
  for (const Steps steps : {Steps::one_by_one, Steps::one_kernel_if_it_fits}) {
    exec::cuda::Executable::compile(exec::cuda::small_program(), recorder, {}, steps);
  }
  return recorder->kernels();
}

TEST(MakePack, CompilesWhatTheFileHasNot) {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "kernels.pack";
  KernelsByName kernels = kernels_of_small_program();
  const size_t all = kernels.size();
  ASSERT_GE(all, 3u);
  const KernelsByName::node_type one = kernels.extract(kernels.begin());
  PackReport report;
  try {
    report = make_pack(file, kernels);
  } catch (const BadInput& missing) {
    GTEST_SKIP() << missing.what();
  }
  EXPECT_EQ(all - 1, report.compiled);
  kernels.insert({one.key(), one.mapped()});
  EXPECT_EQ(1u, make_pack(file, kernels).compiled);
  EXPECT_EQ(0u, make_pack(file, kernels).compiled);
  write_file_atomically(file, "damaged");
  report = make_pack(file, kernels);
  EXPECT_EQ(all, report.compiled);
  EXPECT_EQ(all, report.kernels);
  const KernelsByName few{{one.key(), one.mapped()}};
  EXPECT_EQ(1u, make_pack(file, few).kernels) << "others stayed";
}

TEST(MakePack, HasEachKernelForOldDriversAndGpus) {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "kernels.pack";
  const KernelsByName kernels = kernels_of_small_program();
  try {
    make_pack(file, kernels);
  } catch (const BadInput& missing) {
    GTEST_SKIP() << missing.what();
  }
  for (const auto& [name, ptx] : exec::cuda::KernelPack(file).kernels()) {
    EXPECT_TRUE(kernels.contains(name));
    EXPECT_NE(ptx.npos, ptx.find(".visible .entry " + name + "(")) << ptx;
    EXPECT_NE(ptx.npos, ptx.find("\n.version 8.")) << ptx;
    EXPECT_NE(ptx.npos, ptx.find("\n.target sm_80\n")) << ptx;
  }
}

}  // namespace
}  // namespace outerloop::kernels
