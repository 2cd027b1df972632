// NCCL itself, which needs no GPU to be loaded.

#include <dlfcn.h>
#include <gtest/gtest.h>

#include "comm/nccl/library.h"
#include "outerloop/comm/nccl.h"

namespace outerloop::comm {
namespace {

TEST(NcclLibrary, HasAllFunctionsThatAreUsed) {
  if (dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL) == nullptr) GTEST_SKIP() << dlerror();
  const NcclLibrary library = load_nccl({.named = ""});
  EXPECT_EQ(version_of(library).substr(0, 2), "2.");
  EXPECT_STREQ(library.ncclGetErrorString(ncclSuccess), "no error");
}

}  // namespace
}  // namespace outerloop::comm
