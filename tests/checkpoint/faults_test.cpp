// A store under kills and full disks.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <random>

#include "checkpoint/example.h"
#include "io/temporary_folder.h"
#include "outerloop/base/error.h"
#include "outerloop/checkpoint/store.h"
#include "outerloop/checkpoint/tools.h"
#include "support/file_size_limit.h"
#include "support/message_of.h"
#include "support/small_disk.h"

namespace outerloop::checkpoint {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kWidth = 150;  // about 200 KB a file: a kill often falls into the writing

// What a training does: go on from the newest, save each iteration, until killed.
[[noreturn]] void train_until_killed(const fs::path& folder) {
  Store store(folder, {.keep_last = 2});
  const auto newest = store.load_newest();
  for (int64_t iteration = newest ? newest->iteration + 1 : 1;; ++iteration)
    store.save(example(iteration, kWidth), iteration % 5 == 0);
}

// Microseconds that one save takes here and now.
int64_t save_time() {
  const TemporaryFolder folder;
  Store store(folder.path());
  const auto start = std::chrono::steady_clock::now();
  for (int64_t iteration = 1; iteration <= 5; ++iteration) store.save(example(iteration, kWidth));
  const auto taken = std::chrono::steady_clock::now() - start;
  return std::chrono::duration_cast<std::chrono::microseconds>(taken).count() / 5;
}

TEST(KilledStore, TheNewestCheckpointIsAlwaysWhole) {
  const TemporaryFolder folder;
  const int64_t save = std::max<int64_t>(save_time(), 1000);
  std::mt19937 random(1);
  int64_t reached = 0;
  int torn = 0;
  // On a busy machine a child may get no time for a save: such kills do not count.
  int counted = 0, kills = 0;
  for (; counted < 60 && kills < 300; ++kills) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) train_until_killed(folder.path());
    usleep(static_cast<useconds_t>(2 * save + static_cast<int64_t>(random()) % (4 * save)));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    for (const auto& entry : fs::directory_iterator(folder.path()))
      torn += entry.path().filename().string().starts_with(".tmp-");

    std::string skipped;
    Store store(folder.path());
    const auto newest = store.load_newest([&](const std::string& text) { skipped += text; });
    EXPECT_EQ(skipped, "");
    if (!newest) continue;
    EXPECT_GE(newest->iteration, reached) << "a finished checkpoint was lost";
    counted += newest->iteration > reached;
    reached = newest->iteration;
    ASSERT_EQ(to_text(diff(*newest, example(reached, kWidth))), "identical\n");
  }
  EXPECT_EQ(counted, 60);
  EXPECT_GT(6 * torn, kills) << "too few kills fell into the writing";
}

TEST(FullDisk, AFailedSaveLeavesTheOlderCheckpoint) {
  const TemporaryFolder folder;
  Store store(folder.path());
  store.save(example(1, 60));
  const auto size = static_cast<rlim_t>(fs::file_size(store.file_of(1)));
  for (rlim_t limit = 0; limit < size; limit += 1 + size / 60) {
    std::string message;
    {
      const testing_support::FileSizeLimit full(limit);
      message = message_of<SystemFailure>([&] { store.save(example(2, 60)); });
    }
    EXPECT_CONTAINS(message, ": cannot ");
    EXPECT_CONTAINS(message, "File too large: larger than this process may write (ulimit -f)");
    const auto left =
        std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator());
    EXPECT_EQ(left, 2) << "only the checkpoint and the link `latest`; limit " << limit;
    EXPECT_EQ(to_text(diff(*store.load_newest(), example(1, 60))), "identical\n");
  }
  store.save(example(2, 60));
  EXPECT_EQ(store.load_newest()->iteration, 2);
}

TEST(FullDisk, ARealOneIsReported) {
  const TemporaryFolder folder;
  const testing_support::SmallDisk disk(folder / "disk", "300k");
  if (!disk.mounted()) GTEST_SKIP() << disk.why_not();
  Store store(folder / "disk");
  store.save(example(1, 100));
  EXPECT_CONTAINS(message_of<SystemFailure>([&] {
                    for (int64_t i = 2; i < 9; ++i) store.save(example(i, 100));
                  }),
                  "No space left on device");
  const auto newest = store.load_newest();
  EXPECT_EQ(to_text(diff(*newest, example(newest->iteration, 100))), "identical\n");
}

}  // namespace
}  // namespace outerloop::checkpoint
