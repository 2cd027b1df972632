#include "outerloop/checkpoint/checkpoint.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "checkpoint/example.h"
#include "io/overwrite.h"
#include "io/temporary_folder.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"
#include "outerloop/checkpoint/tools.h"
#include "outerloop/io/hdf5.h"
#include "outerloop/io/seal.h"

namespace outerloop::checkpoint {
namespace {

namespace fs = std::filesystem;

TEST(Checkpoint, IsReadAsItWasWritten) {
  const TemporaryFolder folder;
  const Checkpoint written = example(1200, 300);
  write_checkpoint(written, folder / "a.h5");
  const Checkpoint read = read_checkpoint(folder / "a.h5");
  EXPECT_EQ(to_text(diff(written, read)), "identical\n");
  EXPECT_EQ(read.config, written.config);
  EXPECT_EQ(read.integers, written.integers);
  EXPECT_EQ(read.reals, written.reals);
  EXPECT_EQ(read.texts, written.texts);
  ASSERT_EQ(read.parameters.size(), written.parameters.size());
  for (size_t i = 0; i < read.parameters.size(); ++i) {
    const auto& [name, value] = read.parameters[i];
    const auto& [expected_name, expected] = written.parameters[i];
    EXPECT_EQ(name, expected_name);
    ASSERT_EQ(value.shape(), expected.shape());
    EXPECT_EQ(std::memcmp(value.data(), expected.data(), value.bytes()), 0);
  }
  EXPECT_TRUE(read.ema.empty());
}

TEST(Checkpoint, EqualStateGivesEqualBytes) {
  const TemporaryFolder folder;
  write_checkpoint(example(5), folder / "a.h5");
  write_checkpoint(example(5), folder / "b.h5");
  write_checkpoint(read_checkpoint(folder / "a.h5"), folder / "c.h5");
  write_checkpoint(example(6), folder / "d.h5");
  EXPECT_TRUE(read_file(folder / "a.h5") == read_file(folder / "b.h5"));
  EXPECT_TRUE(read_file(folder / "a.h5") == read_file(folder / "c.h5"));
  EXPECT_EQ(content_hash(folder / "a.h5"), content_hash(folder / "c.h5"));
  EXPECT_NE(content_hash(folder / "a.h5"), content_hash(folder / "d.h5"));
}

TEST(Checkpoint, ACopyKeepsItsValues) {
  Checkpoint original = example(5);
  const Checkpoint copy = deep_copy(original);
  original.parameters[0].value.as<float>()[0] += 1;
  EXPECT_EQ(to_text(diff(copy, example(5))), "identical\n");
}

TEST(Checkpoint, NamesThatCannotBePathsAreRefused) {
  const TemporaryFolder folder;
  const Tensor one = Tensor::scalar(1.0F);
  const auto message = [&](const io::TensorTree& tensors) {
    Checkpoint checkpoint;
    checkpoint.parameters = tensors;
    fs::remove(folder / "a.h5");
    return message_of<BadInput>([&] { write_checkpoint(checkpoint, folder / "a.h5"); });
  };
  EXPECT_CONTAINS(message({{"w", one}, {"w", one}}), "'w' occurs twice");
  EXPECT_CONTAINS(message({{"w/x", one}, {"w", one}}), "'w/x' lies below another tensor");
  EXPECT_CONTAINS(message({{"", one}}), "'' is not a path");
  EXPECT_CONTAINS(message({{"a//b", one}}), "'a//b' is not a path");
  EXPECT_CONTAINS(message({{"./b", one}}), "'./b' is not a path");
}

// A file of the first version, kept as it was written: every later version reads it.
TEST(Checkpoint, TheFirstFormatVersionIsRead) {
  const Checkpoint read =
      read_checkpoint(OUTERLOOP_SOURCE_DIR "/tests/checkpoint/data/checkpoint_v1.h5");
  EXPECT_EQ(to_text(diff(read, example(42, 4))), "identical\n");
}

void write_header(const fs::path& path, const char* format, int64_t version, bool complete) {
  io::Hdf5File file = io::Hdf5File::create(path, {.room_for_seal = true});
  file.set_attribute_text("/", "format", format);
  file.set_attribute_int("/", "format_version", version);
  if (complete) file.set_attribute_int("/", "complete", 1);
  file.close();
  io::seal_file(path);
}

TEST(Checkpoint, OtherFilesAreToldApart) {
  const TemporaryFolder folder;
  write_header(folder / "newer.h5", "outerloop-checkpoint", kFormatVersion + 1, true);
  write_header(folder / "other.h5", "outerloop-dataset", 1, true);
  write_header(folder / "half.h5", "outerloop-checkpoint", 1, false);
  write_file_atomically(folder / "text.h5", std::string(1000, 'x'));
  EXPECT_CONTAINS(message_of<NewerFormat>([&] { read_checkpoint(folder / "newer.h5"); }),
                  "has format version 2, this program reads up to 1; update it");
  EXPECT_CONTAINS(message_of<BadInput>([&] { read_checkpoint(folder / "other.h5"); }),
                  "is an HDF5 file, but not a checkpoint");
  EXPECT_CONTAINS(message_of<CorruptFile>([&] { read_checkpoint(folder / "half.h5"); }),
                  "was not written to its end");
  EXPECT_CONTAINS(message_of<CorruptFile>([&] { read_checkpoint(folder / "text.h5"); }),
                  "no seal in front; is not an HDF5 file");
  EXPECT_CONTAINS(message_of<BadInput>([&] { read_checkpoint(folder / "gone.h5"); }),
                  "gone.h5: no such file");
}

TEST(DamagedCheckpoint, EveryFlippedBitIsRefused) {
  const TemporaryFolder folder;
  const fs::path path = folder / "a.h5";
  write_checkpoint(example(9), path);
  const size_t size = fs::file_size(path);
  std::mt19937 random(5);
  int located = 0;
  for (int trial = 0; trial < 2000; ++trial) {
    const Overwrite flip(path, random() % size, [&](char c) { return c ^ 1 << random() % 8; });
    const std::string message = message_of<CorruptFile>([&] { read_checkpoint(path); });
    EXPECT_CONTAINS(message, path.string() + ": damaged: ");
    ASSERT_EQ(message.find('\n'), std::string::npos);
    located += message.find("outside the data sets") == std::string::npos;
  }
  EXPECT_GT(located,
            500);  // the others hit free space, the seal or scalars without a place of their own
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
  for (int trial = 0; trial < 200; ++trial) {
    write_file_atomically(path, whole.substr(0, random() % whole.size()));
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
  for (int trial = 0; trial < 500; ++trial) {
    std::string damaged = whole;
    const size_t begin = random() % whole.size();
    const size_t end = std::min(whole.size(), begin + 1 + random() % 600);
    for (size_t i = begin; i < end; ++i) damaged[i] = static_cast<char>(random());
    if (damaged == whole) continue;
    write_file_atomically(path, damaged);
    EXPECT_THROW(read_checkpoint(path), CorruptFile);
  }
}

}  // namespace
}  // namespace outerloop::checkpoint
