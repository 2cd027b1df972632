#include "outerloop/checkpoint/checkpoint.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "checkpoint/example.h"
#include "io/temporary_folder.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"
#include "outerloop/checkpoint/tools.h"
#include "outerloop/io/hdf5.h"
#include "outerloop/io/seal.h"
#include "support/message_of.h"

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

}  // namespace
}  // namespace outerloop::checkpoint
