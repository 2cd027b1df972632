// Damaged HDF5 files without a seal: the format's own checksums find every flipped bit, and nothing
// that a file may hold brings the reader down.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "io/overwrite.h"
#include "io/temporary_folder.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"
#include "outerloop/io/hdf5.h"
#include "outerloop/io/seal.h"

namespace outerloop::io {
namespace {

namespace fs = std::filesystem;

// Everything that a file holds, in bytes; throws what the reader throws.
std::map<std::string, std::string> read_all(const fs::path& path) {
  std::map<std::string, std::string> content;
  const Hdf5File file = Hdf5File::open_read(path);
  for (const std::string& name : file.list_datasets()) {
    if (file.info(name).type == ElementType::text) {
      for (const std::string& text : file.read_texts(name)) content[name] += text + '\n';
    } else {
      const Tensor tensor = file.read(name);
      content[name] = to_string(tensor.shape());
      content[name].append(reinterpret_cast<const char*>(tensor.data()), tensor.bytes());
    }
    for (const std::string& attribute : file.list_attributes(name))
      content[name + "@" + attribute] = file.attribute_text(name, attribute);
  }
  return content;
}

void write_example(const fs::path& path) {
  Hdf5File file = Hdf5File::create(path);
  std::mt19937 random(1);
  for (const char* name : {"a/w", "a/b", "c"}) {
    Tensor tensor(DType::f32, {40, 30});
    for (float& value : tensor.as<float>()) value = static_cast<float>(random()) * 1e-9F;
    file.write(name, tensor);
    file.set_attribute_text(name, "unit", "volt");
  }
  file.write("scalar", Tensor::scalar(0.25));
  file.write_texts("names", std::vector<std::string>{"one", "two"});
  file.close();
}

// Of this file, the kernel's, the first page cannot be read.
TEST(Seal, ThatCannotBeReadIsAFailureOfTheSystem) {
  EXPECT_THROW(check_seal("/proc/self/mem"), SystemFailure);
  EXPECT_THROW(is_sealed("/proc/self/mem"), SystemFailure);
}

TEST(DamagedHdf5, NoFlippedBitIsAcceptedSilently) {
  const TemporaryFolder folder;
  const fs::path path = folder / "a.h5";
  write_example(path);
  const std::string whole = read_file(path);
  const auto expected = read_all(path);
  std::mt19937 random(7);
  int refused = 0;
  for (int trial = 0; trial < 1500; ++trial) {
    const Overwrite flip(path, random() % whole.size(),
                         [&](char c) { return c ^ 1 << random() % 8; });
    try {
      ASSERT_EQ(read_all(path), expected) << "trial " << trial;  // a flip in unused space
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 1000);
}

// Any outcome but a crash, a hang or another kind of exception.
void expect_no_crash(const fs::path& source, unsigned seed, int trials) {
  const TemporaryFolder folder;
  const fs::path path = folder / "a.h5";
  fs::copy_file(source, path);
  const size_t size = fs::file_size(path);
  std::mt19937 random(seed);
  int refused = 0;
  for (int trial = 0; trial < trials; ++trial) {
    // Half of the trials hit the first pages, where the structure is.
    const size_t range = trial % 2 == 0 ? size : std::min<size_t>(size, 4096);
    const Overwrite first(path, random() % range, [&](char) { return random() % 256; });
    const Overwrite second(path, random() % range, [&](char) { return random() % 256; });
    const Overwrite third(path, random() % range, [&](char) { return random() % 256; });
    try {
      read_all(path);
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, trials / 20);
}

TEST(DamagedHdf5, RandomBytesInOurFormatDoNotCrash) {
  const TemporaryFolder folder;
  write_example(folder / "a.h5");
  expect_no_crash(folder / "a.h5", 11, 1500);
}

TEST(DamagedHdf5, RandomBytesInAnOldFormatDoNotCrash) {
  expect_no_crash(OUTERLOOP_SOURCE_DIR "/tests/io/data/foreign_1_8.h5", 12, 1500);
}

TEST(DamagedHdf5, AnyTruncationIsRefused) {
  const TemporaryFolder folder;
  write_example(folder / "whole.h5");
  const std::string whole = read_file(folder / "whole.h5");
  for (size_t size = 0; size < whole.size(); size += 97) {
    write_file_atomically(folder / "a.h5", whole.substr(0, size));
    EXPECT_THROW(read_all(folder / "a.h5"), Error) << size;
  }
}

TEST(DamagedHdf5, NoiseIsNoFile) {
  const TemporaryFolder folder;
  std::mt19937 random(3);
  for (int trial = 0; trial < 100; ++trial) {
    std::string noise(random() % 5000, '\0');
    for (char& c : noise) c = static_cast<char>(random());
    write_file_atomically(folder / "a.h5", noise);
    EXPECT_THROW(read_all(folder / "a.h5"), Error);
    EXPECT_NE(check_seal(folder / "a.h5"), "");
  }
}

}  // namespace
}  // namespace outerloop::io
