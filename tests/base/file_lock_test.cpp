#include "outerloop/base/file_lock.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "io/temporary_folder.h"

namespace outerloop {
namespace {

namespace fs = std::filesystem;

TEST(FileLock, IsSeenByWhoMayOnlyRead) {
  const TemporaryFolder folder;
  const fs::path file = folder / "lock";
  const auto lock = FileLock::take(file);
  ASSERT_TRUE(lock);
  fs::permissions(file, fs::perms::owner_read | fs::perms::group_read | fs::perms::others_read);
  const bool is_root = geteuid() == 0;
  ASSERT_TRUE(!is_root || seteuid(65534) == 0);
  const bool taken = FileLock::is_taken(file);
  ASSERT_TRUE(!is_root || seteuid(0) == 0);
  EXPECT_TRUE(taken);
}

TEST(FileLock, IsNotTakenWhereNobodyHoldsIt) {
  const TemporaryFolder folder;
  EXPECT_FALSE(FileLock::is_taken(folder / "lock"));
  { const auto lock = FileLock::take(folder / "lock"); }
  EXPECT_FALSE(FileLock::is_taken(folder / "lock"));
}

}  // namespace
}  // namespace outerloop
