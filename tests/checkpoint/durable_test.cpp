// What is on disk after a power cut: files are synced before they get their names, the folder after
// that, and what cannot be read back gets none.

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <functional>

#include "checkpoint/example.h"
#include "io/temporary_folder.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"
#include "outerloop/checkpoint/store.h"
#include "outerloop/checkpoint/tools.h"

namespace {

namespace fs = std::filesystem;

std::vector<std::string> events;
std::function<void(const fs::path&)> on_sync;

// Temporary files by their prefix alone.
std::string short_name(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.starts_with(".tmp-") ? ".tmp" : name;
}

}  // namespace

// Of the whole program, instead of the C library's.
extern "C" int fsync(int descriptor) {
  const fs::path path = fs::read_symlink(fmt::format("/proc/self/fd/{}", descriptor));
  events.push_back("sync " + short_name(path));
  if (on_sync) on_sync(path);
  return static_cast<int>(syscall(SYS_fsync, descriptor));
}

extern "C" int rename(const char* from, const char* to) noexcept {
  events.push_back("rename " + short_name(to));
  return static_cast<int>(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

namespace outerloop::checkpoint {
namespace {

class Durable : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory(folder_ / "place");
    events.clear();
    on_sync = nullptr;
  }

  TemporaryFolder folder_;
  const fs::path place_ = folder_ / "place";
};

TEST_F(Durable, AFileHasItsNameOnceItIsOnDisk) {
  write_file_atomically(place_ / "a", "content");
  EXPECT_EQ(events, (std::vector<std::string>{"sync .tmp", "rename a", "sync place"}));
}

TEST_F(Durable, ACheckpointHasItsNameOnceItIsOnDisk) {
  Store store(place_);
  events.clear();
  store.save(example(1));
  const auto at = [](const std::string& event) {
    const auto found = std::ranges::find(events, event);
    EXPECT_NE(found, events.end()) << event;
    return found - events.begin();
  };
  EXPECT_LT(at("sync .tmp"), at("rename ckpt-000000001.h5"));
  EXPECT_LT(at("rename ckpt-000000001.h5"), at("sync place"));
  EXPECT_LT(at("sync place"), at("rename latest")) << "of a checkpoint that is there for good";
}

TEST_F(Durable, ACheckpointThatTheDiskSpoilsGetsNoName) {
  Store store(place_, {.keep_last = 1});
  store.save(example(1));
  on_sync = [](const fs::path& path) {
    if (short_name(path) != ".tmp") return;
    on_sync = nullptr;
    const int file = open(path.c_str(), O_RDWR);
    char byte = 0;
    EXPECT_EQ(pread(file, &byte, 1, 2000), 1);
    byte = static_cast<char>(byte ^ 4);
    EXPECT_EQ(pwrite(file, &byte, 1, 2000), 1);
    close(file);
  };
  EXPECT_THROW(store.save(example(2)), CorruptFile);
  EXPECT_EQ(store.list().size(), 1u);
  EXPECT_EQ(to_text(diff(*store.load_newest(), example(1))), "identical\n");
}

}  // namespace
}  // namespace outerloop::checkpoint
