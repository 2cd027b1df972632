#include "outerloop/base/atomic_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "io/temporary_folder.h"
#include "outerloop/base/error.h"

namespace outerloop {
namespace {

namespace fs = std::filesystem;

class AtomicFileTest : public testing::Test {
 protected:
  int64_t files() const {
    return std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator());
  }

  TemporaryFolder folder_;
};

TEST_F(AtomicFileTest, ReplacesTheContentAndLeavesNothingElse) {
  write_file_atomically(folder_ / "a", "one");
  write_file_atomically(folder_ / "a", "two");
  EXPECT_EQ(read_file(folder_ / "a"), "two");
  EXPECT_EQ(files(), 1);
}

TEST_F(AtomicFileTest, WithoutCommitTheTargetStaysAsItWas) {
  write_file_atomically(folder_ / "a", "one");
  {
    AtomicFile atomic(folder_ / "a");
    std::ofstream(atomic.temporary()) << "half";
  }
  EXPECT_EQ(read_file(folder_ / "a"), "one");
  EXPECT_EQ(files(), 1);
}

TEST_F(AtomicFileTest, ErrorsNameThePathAndTheReason) {
  try {
    write_file_atomically(folder_ / "missing" / "a", "one");
    FAIL() << "expected an error";
  } catch (const SystemFailure& error) {
    EXPECT_NE(std::string(error.what()).find("missing"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("No such file"), std::string::npos) << error.what();
  }
  EXPECT_THROW(read_file(folder_ / "missing"), BadInput);
}

// In a container the next process often has the number of the one that was killed.
TEST_F(AtomicFileTest, WhatAKilledProcessOfTheSameNumberLeftIsNotInTheWay) {
  const auto leave_next = [this] {
    const std::string used = AtomicFile(folder_ / "a").temporary().string();
    const size_t number = used.rfind('-') + 1;
    const fs::path next =
        used.substr(0, number) + std::to_string(std::stoi(used.substr(number)) + 1);
    std::ofstream(next) << "left";
    return next;
  };
  fs::path left = leave_next();
  write_file_atomically(folder_ / "a", "one");
  EXPECT_EQ(read_file(folder_ / "a"), "one");
  EXPECT_EQ(read_file(left), "left");
  left = leave_next();
  replace_symlink(folder_ / "a", "b");
  EXPECT_EQ(fs::read_symlink(folder_ / "a"), "b");
  EXPECT_EQ(read_file(left), "left");
}

TEST_F(AtomicFileTest, TemporaryNamesSayWhatTheyStandFor) {
  const fs::path temporary = AtomicFile(folder_ / "a-1.csv").temporary();
  const auto found = temporary_named(temporary.filename().string());
  ASSERT_TRUE(found);
  EXPECT_EQ(found->target, "a-1.csv");
  EXPECT_EQ(found->process, ::getpid());
  for (const char* other : {"a-1.csv", ".tmp-a.csv", ".tmp-a.csv-7", ".tmp-a.csv-7-",
                            ".tmp-20-7.h5", ".tmp-a.csv-x-7", "-7-7"}) {
    EXPECT_FALSE(temporary_named(other)) << other;
  }
}

TEST_F(AtomicFileTest, LinksAreReplaced) {
  replace_symlink(folder_ / "latest", "a");
  replace_symlink(folder_ / "latest", "b");
  EXPECT_EQ(fs::read_symlink(folder_ / "latest"), "b");
  EXPECT_EQ(files(), 1);
}

}  // namespace
}  // namespace outerloop
