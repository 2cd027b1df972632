// Checkpoints that something wrote into or cut off: every change is found, and no crash.

#include <gtest/gtest.h>

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
constexpr int kFlips = 200, kCuts = 100;
#else
constexpr int kFlips = 2000, kCuts = 500;
#endif

// Without waiting for the disk.
void write_plainly(const fs::path& file, const std::string& content) {
  std::ofstream(file, std::ios::binary) << content;
}

TEST(DamagedCheckpoint, EveryFlippedBitIsRefused) {
  const TemporaryFolder folder;
  const fs::path path = folder / "a.h5";
  write_checkpoint(example(9), path);
  const size_t size = fs::file_size(path);
  std::mt19937 random(5);
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
  std::mt19937 random(6);
  for (int trial = 0; trial < kCuts; ++trial) {
    write_plainly(path, whole.substr(0, random() % whole.size()));
    EXPECT_CONTAINS(message_of<CorruptFile>([&] { read_checkpoint(path); }),
                    path.string() + ": damaged: truncated: ");
  }
}

// Larger damage, through the seal's report into HDF5's own checks: an error each time, and no
// crash.
TEST(DamagedCheckpoint, RandomBytesAreRefused) {
  const TemporaryFolder folder;
  const fs::path path = folder / "a.h5";
  write_checkpoint(example(9), path);
  const std::string whole = read_file(path);
  std::mt19937 random(8);
  for (int trial = 0; trial < kCuts; ++trial) {
    std::string damaged = whole;
    const size_t begin = random() % whole.size();
    const size_t end = std::min(whole.size(), begin + 1 + random() % 600);
    for (size_t i = begin; i < end; ++i) damaged[i] = static_cast<char>(random());
    if (damaged == whole) continue;
    write_plainly(path, damaged);
    EXPECT_THROW(read_checkpoint(path), CorruptFile);
  }
}

}  // namespace
}  // namespace outerloop::checkpoint
