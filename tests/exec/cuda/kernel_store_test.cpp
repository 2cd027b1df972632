#include "exec/cuda/kernel_store.h"

#include <gtest/gtest.h>

#include "io/temporary_folder.h"
#include "outerloop/base/atomic_file.h"

namespace outerloop::exec::cuda {
namespace {

namespace fs = std::filesystem;

TEST(KernelStore, GivesBackWhatItKept) {
  const TemporaryFolder folder;
  const KernelStore store(folder.path() / "a" / "b", "sm_90");
  EXPECT_FALSE(store.find("k"));
  store.keep("k", std::string("code\0more", 9));
  EXPECT_EQ(std::string("code\0more", 9), store.find("k"));
  EXPECT_FALSE(store.find("other"));
  EXPECT_FALSE(KernelStore(folder.path() / "a" / "b", "sm_80").find("k")) << "another machine";
}

TEST(KernelStore, TakesADamagedEntryForAMissingOne) {
  const TemporaryFolder folder;
  const KernelStore store(folder.path(), "sm_90");
  store.keep("k", "machine code");
  const fs::path file = *fs::directory_iterator(folder.path());
  const std::string whole = read_file(file);
  std::string flipped = whole;
  flipped.back() = static_cast<char>(flipped.back() ^ 1);
  for (const std::string& damaged : {std::string(), whole.substr(0, 20), flipped, whole + "x"}) {
    write_file_atomically(file, damaged);
    EXPECT_FALSE(store.find("k")) << damaged.size() << " bytes";
  }
  store.keep("k", "machine code");
  EXPECT_EQ("machine code", store.find("k"));
}

TEST(KernelStore, KeepsNothingWhereItCannotWrite) {
  const TemporaryFolder folder;
  write_file_atomically(folder.path() / "file", std::string_view("x"));
  for (const fs::path& place : {folder.path() / "file" / "below", fs::path()}) {
    const KernelStore store(place, "sm_90");
    store.keep("k", "code");
    EXPECT_FALSE(store.find("k"));
  }
}

TEST(KernelFolder, IsWhatTheEnvironmentSays) {
  setenv("HOME", "/home/someone", 1);
  setenv("XDG_CACHE_HOME", "/cache", 1);
  setenv("OUTERLOOP_CACHE", "/chosen", 1);
  EXPECT_EQ("/chosen", kernel_folder());
  unsetenv("OUTERLOOP_CACHE");
  EXPECT_EQ("/cache/outerloop/kernels", kernel_folder());
  unsetenv("XDG_CACHE_HOME");
  EXPECT_EQ("/home/someone/.cache/outerloop/kernels", kernel_folder());
  unsetenv("HOME");
  EXPECT_EQ("", kernel_folder());
}

}  // namespace
}  // namespace outerloop::exec::cuda
