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
#include "outerloop/io/hdf5.h"
#include "outerloop/io/seal.h"
#include "support/message_of.h"

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

enum class Nonsense { left_out, text, number, numbers };

// A part of a file: a data set, or an attribute of an object.
struct Part {
  std::string object, attribute;
  bool operator==(const Part&) const = default;
};

std::vector<Part> parts_of(const io::Hdf5File& file) {
  std::vector<Part> parts;
  std::vector<std::string> objects{"/"};
  for (const std::string& group : file.list()) objects.push_back(group);
  for (const std::string& dataset : file.list_datasets()) {
    parts.push_back({dataset, ""});
    objects.push_back(dataset);
  }
  for (const std::string& object : objects) {
    for (const std::string& name : file.list_attributes(object)) parts.push_back({object, name});
  }
  return parts;
}

void write_part(io::Hdf5File& to, const Part& part, Nonsense nonsense) {
  Tensor numbers(DType::f64, {3});
  std::ranges::fill(numbers.as<double>(), 1e300);
  const bool is_dataset = part.attribute.empty();
  switch (nonsense) {
    case Nonsense::left_out:
      return;
    case Nonsense::text:
      return is_dataset ? to.write_text(part.object, "nonsense")
                        : to.set_attribute_text(part.object, part.attribute, "nonsense");
    case Nonsense::number:
      return is_dataset ? to.write(part.object, Tensor(DType::i32, {}))
                        : to.set_attribute_int(part.object, part.attribute, -123456789);
    case Nonsense::numbers:
      return is_dataset ? to.write(part.object, numbers)
                        : to.set_attribute_real(part.object, part.attribute, 1e300);
  }
}

void copy_part(const io::Hdf5File& from, io::Hdf5File& to, const Part& part) {
  const auto& [object, name] = part;
  if (name.empty()) {
    return from.info(object).type == io::ElementType::text
               ? to.write_texts(object, from.read_texts(object))
               : to.write(object, from.read(object));
  }
  if (object == "reals") {
    to.set_attribute_real(object, name, from.attribute_real(object, name));
  } else if (object == "texts" || name == "format" || name == "config_hash" ||
             name == "dataset_fingerprint" || name == "xxh3") {
    to.set_attribute_text(object, name, from.attribute_text(object, name));
  } else {
    to.set_attribute_int(object, name, from.attribute_int(object, name));
  }
}

// Whole and sealed files with one part that is wrong or not there, as another program might write
// them. A tensor is refused whatever is wrong with it; what may have any value is read.
TEST(DamagedCheckpoint, WellSealedNonsenseIsRefusedInOneLineOrRead) {
  const TemporaryFolder folder;
  write_checkpoint(example(9), folder / "whole.h5");
  const io::Hdf5File whole = io::Hdf5File::open_read(folder / "whole.h5");
  const std::vector<Part> parts = parts_of(whole);
  int refused = 0;
  for (const Part& broken : parts) {
    for (const Nonsense nonsense :
         {Nonsense::left_out, Nonsense::text, Nonsense::number, Nonsense::numbers}) {
      const fs::path path = folder / "a.h5";
      fs::remove(path);
      io::Hdf5File file = io::Hdf5File::create(path, {.room_for_seal = true});
      for (const std::string& group : whole.list()) file.create_group(group);
      for (const Part& part : parts) {
        const bool of_broken = broken.attribute.empty() && part.object == broken.object;
        if (part == broken) {
          write_part(file, part, nonsense);
        } else if (!of_broken || nonsense != Nonsense::left_out) {
          copy_part(whole, file, part);
        }
      }
      file.close();
      io::seal_file(path);
      const bool of_tensor =
          whole.has_attribute(broken.object, "index") || broken.attribute == "tensors";
      try {
        read_checkpoint(path);
        EXPECT_FALSE(of_tensor) << broken.object << " " << broken.attribute << " "
                                << static_cast<int>(nonsense);
      } catch (const Error& error) {
        EXPECT_EQ(std::string_view(error.what()).find('\n'), std::string::npos) << error.what();
        EXPECT_CONTAINS(error.what(), path.string());
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, static_cast<int>(2 * parts.size()));
}

}  // namespace
}  // namespace outerloop::checkpoint
