// Checkpoints that something wrote into or cut off: every change is found, and no crash.

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <random>

#include "checkpoint/example.h"
#include "io/overwrite.h"
#include "io/temporary_folder.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"

namespace outerloop::checkpoint {
namespace {

namespace fs = std::filesystem;

#ifdef __SANITIZE_ADDRESS__  // ten times slower
constexpr int kFlips = 200, kPages = 100, kCuts = 100;
#else
constexpr int kFlips = 7000, kPages = 2000, kCuts = 1500;
#endif

// Other draws with each seed of --gtest_shuffle --gtest_random_seed=…
std::mt19937 draws(int own) {
  return std::mt19937(
      static_cast<uint32_t>(own + 10 * testing::UnitTest::GetInstance()->random_seed()));
}

// How often a file was damaged, for who adds them up.
void tell_trials(int count) {
  testing::Test::RecordProperty("trials", count);
}

// Without waiting for the disk.
void write_plainly(const fs::path& file, const std::string& content) {
  std::ofstream(file, std::ios::binary) << content;
}

TEST(DamagedCheckpoint, EveryFlippedBitIsRefused) {
  const TemporaryFolder folder;
  const fs::path path = folder / "a.h5";
  write_checkpoint(example(9), path);
  const size_t size = fs::file_size(path);
  std::mt19937 random = draws(5);
  int located = 0;
  for (int trial = 0; trial < kFlips; ++trial) {
    const Overwrite flip(path, random() % size, [&](char c) { return c ^ 1 << random() % 8; });
    const std::string message = message_of<CorruptFile>([&] { read_checkpoint(path); });
    EXPECT_CONTAINS(message, path.string() + ": damaged: ");
    ASSERT_EQ(message.find('\n'), std::string::npos);
    located += message.find("outside the data sets") == std::string::npos;
  }
  EXPECT_GT(
      located,
      kFlips / 4);  // the others hit free space, the seal or scalars without a place of their own
  EXPECT_NO_THROW(read_checkpoint(path));
  tell_trials(kFlips);
}

TEST(DamagedCheckpoint, FileDataSetAndChunkAreNamed) {
  const TemporaryFolder folder;
  const fs::path path = folder / "a.h5";
  Checkpoint checkpoint = example(9);
  const float mark = 123456.5F;
  Tensor large(DType::f32, {100, 1000});
  large.as<float>()[60 * 1000] = mark;
  checkpoint.optimizer.push_back({"v/large", large});
  write_checkpoint(checkpoint, path);
  const size_t at = read_file(path).find(std::string_view(reinterpret_cast<const char*>(&mark), 4));
  ASSERT_NE(at, std::string::npos);
  const Overwrite flip(path, at, [](char c) { return c ^ 4; });
  const std::string message = message_of<CorruptFile>([&] { verify_checkpoint(path); });
  EXPECT_CONTAINS(message, path.string() +
                               ": damaged: content differs from its checksum; "
                               "/optimizer/v/large chunk 2 at (50, 0): cannot read: ");
}

TEST(DamagedCheckpoint, EveryTruncationIsRefusedByName) {
  const TemporaryFolder folder;
  write_checkpoint(example(9), folder / "whole.h5");
  const std::string whole = read_file(folder / "whole.h5");
  const fs::path path = folder / "a.h5";
  std::mt19937 random = draws(6);
  for (int trial = 0; trial < kCuts; ++trial) {
    write_plainly(path, whole.substr(0, random() % whole.size()));
    EXPECT_CONTAINS(message_of<CorruptFile>([&] { read_checkpoint(path); }),
                    path.string() + ": damaged: truncated: ");
  }
  tell_trials(kCuts);
}

// What a power cut leaves where a page had not reached the disk: zeros, or what an older file of
// the same size had there.
TEST(DamagedCheckpoint, EveryDroppedPageIsRefused) {
  constexpr size_t kPage = 4096;
  const TemporaryFolder folder;
  write_checkpoint(example(8, 80), folder / "older.h5");
  write_checkpoint(example(9, 80), folder / "whole.h5");
  const std::string older = read_file(folder / "older.h5");
  const std::string whole = read_file(folder / "whole.h5");
  ASSERT_EQ(older.size(), whole.size());
  const std::string zeros(whole.size(), '\0');
  const fs::path path = folder / "a.h5";
  std::mt19937 random = draws(7);
  for (int dropped = 0; dropped < kPages;) {
    const size_t begin = random() % (whole.size() / kPage + 1) * kPage;
    const size_t size = std::min(kPage << random() % 3, whole.size() - begin);
    std::string damaged = whole;
    damaged.replace(begin, size, random() % 2 == 0 ? zeros : older, begin, size);
    if (damaged == whole) continue;
    write_plainly(path, damaged);
    EXPECT_CONTAINS(message_of<CorruptFile>([&] { read_checkpoint(path); }),
                    path.string() + ": damaged: ");
    ++dropped;
  }
  tell_trials(kPages);
}

// Larger damage, through the seal's report into HDF5's own checks: an error each time, and no
// crash.
TEST(DamagedCheckpoint, RandomBytesAreRefused) {
  const TemporaryFolder folder;
  const fs::path path = folder / "a.h5";
  write_checkpoint(example(9), path);
  const std::string whole = read_file(path);
  std::mt19937 random = draws(8);
  for (int trial = 0; trial < kCuts; ++trial) {
    std::string damaged = whole;
    const size_t begin = random() % whole.size();
    const size_t end = std::min(whole.size(), begin + 1 + random() % 600);
    for (size_t i = begin; i < end; ++i) damaged[i] = static_cast<char>(random());
    if (damaged == whole) continue;
    write_plainly(path, damaged);
    EXPECT_THROW(read_checkpoint(path), CorruptFile);
  }
  tell_trials(kCuts);
}

}  // namespace
}  // namespace outerloop::checkpoint
