#include "outerloop/checkpoint/store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <future>
#include <semaphore>
#include <string>
#include <vector>

#include "checkpoint/example.h"
#include "io/temporary_folder.h"
#include "outerloop/base/error.h"
#include "outerloop/checkpoint/tools.h"
#include "support/message_of.h"

namespace outerloop::checkpoint {
namespace {

namespace fs = std::filesystem;

std::vector<int64_t> iterations(const Store& store) {
  std::vector<int64_t> numbers;
  for (const StoredFile& file : store.list()) numbers.push_back(file.iteration);
  return numbers;
}

using Numbers = std::vector<int64_t>;

void damage(const fs::path& file) {
  std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
  stream.seekp(static_cast<std::streamoff>(fs::file_size(file) / 2)).write("damaged!", 8);
}

TEST(Store, SavesAndLoadsTheNewest) {
  const TemporaryFolder folder;
  Store store(folder / "run/ckpt");
  EXPECT_FALSE(store.load_newest());
  EXPECT_EQ(store.save(example(10)), folder / "run/ckpt/ckpt-000000010.h5");
  store.save(example(20));
  EXPECT_EQ(to_text(diff(*store.load_newest(), example(20))), "identical\n");
  EXPECT_EQ(fs::read_symlink(folder / "run/ckpt/latest"), "ckpt-000000020.h5");
}

TEST(Store, KeepsTheLastTheRegularAndTheBest) {
  const TemporaryFolder folder;
  Store store(folder.path(), {.keep_last = 2, .keep_every = 40, .keep_best = true});
  for (int64_t iteration = 10; iteration <= 120; iteration += 10)
    store.save(example(iteration), iteration == 30 || iteration == 50);
  EXPECT_EQ(iterations(store), (Numbers{40, 50, 80, 110, 120}));
  EXPECT_EQ(store.best(), store.file_of(50));
  store.mark_best(80);
  store.save(example(130));
  EXPECT_EQ(iterations(store), (Numbers{40, 80, 120, 130}));
  EXPECT_THROW(store.mark_best(50), BadInput);
}

// As cp -L, scp -r and zip -r leave it, and then as others do, who pass over links.
TEST(Store, FindsTheBestInACopyWithoutLinks) {
  const TemporaryFolder folder;
  Store store(folder / "run");
  for (const int64_t iteration : {10, 20}) {
    Checkpoint checkpoint = example(iteration);
    checkpoint.integers["best_iteration"] = 10;
    store.save(checkpoint, iteration == 10);
  }
  fs::copy(folder / "run", folder / "copy");
  for (const char* link : {"best", "latest"}) {
    EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(folder / "copy" / link))) << link;
  }
  const Store copy = Store::open_read(folder / "copy");
  EXPECT_EQ(to_text(diff(read_checkpoint(*copy.best()), read_checkpoint(store.file_of(10)))),
            "identical\n");
  fs::remove(folder / "copy/best");
  fs::remove(folder / "copy/latest");
  EXPECT_EQ(copy.best(), copy.file_of(10));
}

TEST(Store, KeepsTheFileItWasResumedFrom) {
  const TemporaryFolder folder;
  Store(folder.path()).save(example(1));
  Store store(folder.path(), {.keep_last = 1});
  ASSERT_TRUE(store.load_newest());
  store.save(example(2));
  store.save(example(3));
  EXPECT_EQ(iterations(store), (Numbers{1, 3}));
}

TEST(Store, FallsBackPastDamagedFiles) {
  const TemporaryFolder folder;
  Store store(folder.path());
  for (int64_t iteration : {1, 2, 3}) store.save(example(iteration));
  damage(store.file_of(3));
  fs::resize_file(store.file_of(2), 700);
  std::vector<std::string> notices;
  const auto newest = store.load_newest([&](const std::string& text) { notices.push_back(text); });
  EXPECT_EQ(newest->iteration, 1);
  ASSERT_EQ(notices.size(), 2u);
  EXPECT_CONTAINS(notices[0],
                  "skipped " + store.file_of(3).string() + ": damaged: content differs");
  EXPECT_CONTAINS(notices[1], "skipped " + store.file_of(2).string() + ": damaged: truncated");

  damage(store.file_of(1));
  EXPECT_CONTAINS(message_of<CorruptFile>([&] { store.load_newest(); }),
                  "none of the 3 checkpoints can be read, remove them to start over; the newest: ");
}

TEST(Store, GoingOnFromAnOlderOneSetsLaterOnesAside) {
  const TemporaryFolder folder;
  Store store(folder.path());
  for (int64_t iteration : {10, 20, 30}) store.save(example(iteration));
  damage(store.file_of(30));
  EXPECT_EQ(store.load_newest()->iteration, 20);
  store.save(example(25));
  EXPECT_EQ(iterations(store), (Numbers{10, 20, 25}));
  EXPECT_TRUE(fs::exists(store.file_of(30).string() + ".superseded"));
  EXPECT_EQ(store.load_newest()->iteration, 25);
}

TEST(Store, LeftoversOfAKilledRunAreRemovedByWritersOnly) {
  const TemporaryFolder folder;
  Store store(folder.path());
  store.save(example(1));
  std::ofstream(folder / ".tmp-2-999.h5") << "half";
  EXPECT_EQ(Store::open_read(folder.path()).load_newest()->iteration, 1);
  EXPECT_TRUE(fs::exists(folder / ".tmp-2-999.h5"));
  EXPECT_EQ(store.load_newest()->iteration, 1);
  EXPECT_FALSE(fs::exists(folder / ".tmp-2-999.h5"));
}

TEST(Store, OtherNamesAreNoCheckpoints) {
  const TemporaryFolder folder;
  Store store(folder.path());
  for (const char* name : {"ckpt-12.h5", "ckpt-00000001x.h5", "ckpt--00000001.h5", "notes.txt",
                           "ckpt-99999999999999999999.h5"})
    std::ofstream(folder / name) << "x";
  EXPECT_TRUE(store.list().empty());
  EXPECT_EQ(store.file_of(12345678901).filename(), "ckpt-12345678901.h5");
}

TEST(Store, SavingAnIterationAgainReplacesIt) {
  const TemporaryFolder folder;
  Store store(folder.path());
  store.save(example(1));
  damage(store.file_of(1));
  store.save(example(1));
  EXPECT_NO_THROW(verify_checkpoint(store.file_of(1)));
}

TEST(Store, AnUnwritableFolderIsNamed) {
  const TemporaryFolder folder;
  std::ofstream(folder / "file") << "x";
  EXPECT_CONTAINS(message_of<SystemFailure>([&] { Store(folder / "file/ckpt"); }),
                  "file/ckpt: cannot create: Not a directory");
  EXPECT_CONTAINS(message_of<BadInput>([&] { Store::open_read(folder / "gone"); }),
                  "gone: no such folder");
  // Root may write everywhere, so it plays another user.
  fs::permissions(folder.path(), fs::perms(0555));
  const bool is_root = geteuid() == 0;
  ASSERT_TRUE(!is_root || seteuid(65534) == 0);
  EXPECT_CONTAINS(message_of<SystemFailure>([&] { Store(folder.path()); }), "cannot be written");
  ASSERT_TRUE(!is_root || seteuid(0) == 0);
  fs::permissions(folder.path(), fs::perms::owner_all);
}

TEST(BackgroundSaver, SavesWhatWasTrueAtTheCall) {
  const TemporaryFolder folder;
  Store store(folder.path());
  BackgroundSaver saver(store);
  for (int64_t iteration = 1; iteration <= 5; ++iteration) {
    Checkpoint checkpoint = example(iteration, 200);
    saver.save(checkpoint, iteration == 4);
    for (float& value : checkpoint.parameters[0].value.as<float>()) value = 0;
  }
  saver.finish();
  EXPECT_EQ(to_text(diff(*store.load_newest(), example(5, 200))), "identical\n");
  EXPECT_EQ(store.best(), store.file_of(4));
}

// Lets through one checkpoint after the other.
class SlowDisk {
 public:
  std::function<void()> passage() {
    return [this] { allowed_.acquire(); };
  }
  void let_through(int checkpoints) { allowed_.release(checkpoints); }

 private:
  std::counting_semaphore<> allowed_{0};
};

constexpr std::chrono::milliseconds kAWhile(100);

TEST(BackgroundSaver, ASlowDiskTakesNoTimeWithinAnInterval) {
  const TemporaryFolder folder;
  const Retention retention{.keep_last = 2, .keep_every = 15};
  Store store(folder / "slow", retention), fast(folder / "fast", retention);
  SlowDisk disk;
  BackgroundSaver saver(store, 10);
  for (const int64_t iteration : {10, 13, 15, 19}) {
    EXPECT_EQ(saver.save(example(iteration), iteration == 13, disk.passage()), 0) << iteration;
    fast.save(example(iteration), iteration == 13);
  }
  EXPECT_TRUE(iterations(store).empty());
  disk.let_through(4);
  saver.finish();
  EXPECT_EQ(iterations(store), (Numbers{13, 15, 19}));
  EXPECT_EQ(iterations(store), iterations(fast));
  EXPECT_EQ(store.best(), store.file_of(13));
}

TEST(BackgroundSaver, WaitsForWhatIsAnIntervalOlder) {
  const TemporaryFolder folder;
  Store store(folder.path());
  SlowDisk disk;
  BackgroundSaver saver(store, 10);
  saver.save(example(10), false, disk.passage());
  saver.save(example(14), true, disk.passage());
  auto due = std::async(std::launch::async,
                        [&] { return saver.save(example(20), false, disk.passage()); });
  EXPECT_EQ(due.wait_for(kAWhile), std::future_status::timeout);
  disk.let_through(1);
  EXPECT_GT(due.get(), 0);
  EXPECT_EQ(iterations(store), Numbers{10});
  disk.let_through(2);
  saver.finish();
  EXPECT_EQ(iterations(store), (Numbers{10, 14, 20}));
}

TEST(BackgroundSaver, WithoutAnIntervalSoManyWaitAtMost) {
  const TemporaryFolder folder;
  Store store(folder.path());
  SlowDisk disk;
  BackgroundSaver saver(store);
  for (int64_t iteration = 1; iteration <= 8; ++iteration) {
    EXPECT_EQ(saver.save(example(iteration), false, disk.passage()), 0);
  }
  auto ninth = std::async(std::launch::async, [&] { return saver.save(example(9)); });
  EXPECT_EQ(ninth.wait_for(kAWhile), std::future_status::timeout);
  disk.let_through(8);
  EXPECT_GT(ninth.get(), 0);
}

TEST(BackgroundSaver, AnErrorEndsTheWait) {
  const TemporaryFolder folder;
  Store store(folder / "ckpt");
  SlowDisk disk;
  BackgroundSaver saver(store, 10);
  saver.save(example(10), false, disk.passage());
  auto due = std::async(std::launch::async, [&] { saver.save(example(20)); });
  EXPECT_EQ(due.wait_for(kAWhile), std::future_status::timeout);
  fs::remove_all(folder / "ckpt");
  disk.let_through(1);
  EXPECT_CONTAINS(message_of<SystemFailure>([&] { due.get(); }), "No such file");
}

TEST(BackgroundSaver, ErrorsSurfaceAtALaterCall) {
  const TemporaryFolder folder;
  Store store(folder / "ckpt");
  BackgroundSaver saver(store);
  fs::remove_all(folder / "ckpt");
  saver.save(example(1));
  EXPECT_CONTAINS(message_of<SystemFailure>([&] { saver.finish(); }), "No such file");
  fs::create_directory(folder / "ckpt");
  saver.save(example(3));
  EXPECT_NO_THROW(saver.finish());
  EXPECT_EQ(store.load_newest()->iteration, 3);
}

}  // namespace
}  // namespace outerloop::checkpoint
