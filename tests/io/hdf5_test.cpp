#include "outerloop/io/hdf5.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <numeric>
#include <thread>

#include "io/python.h"
#include "io/temporary_folder.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"
#include "outerloop/io/seal.h"
#include "support/message_of.h"

namespace outerloop::io {
namespace {

using Texts = std::vector<std::string>;
namespace fs = std::filesystem;

template <class T>
Tensor counting(const Shape& shape) {
  Tensor tensor(dtype_of<T>, shape);
  std::iota(tensor.as<T>().begin(), tensor.as<T>().end(), T{1});
  return tensor;
}

void expect_same(const Tensor& a, const Tensor& b) {
  ASSERT_EQ(a.dtype(), b.dtype());
  ASSERT_EQ(a.shape(), b.shape());
  EXPECT_EQ(std::memcmp(a.data(), b.data(), a.bytes()), 0);
}

void write_everything(const fs::path& path) {
  Hdf5File file = Hdf5File::create(path);
  file.write("meta/net/weight", counting<float>({300, 5, 70}));
  file.write("meta/net/bias", counting<double>({7}));
  file.write("labels", counting<int32_t>({40000}));
  file.write("scalar", Tensor::scalar(2.5));
  file.write("none", Tensor(DType::f32, {0, 3}));
  file.write_bytes("images", {100, 9, 9}, std::vector<uint8_t>(8100, 7), {.deflate = 6});
  file.write_texts("names", std::vector<std::string>{"alpha", "", "Ђirilica"});
  file.set_attribute_int("/", "version", -3);
  file.set_attribute_real("meta", "rate", 0.1);
  file.set_attribute_text("meta", "unit", "px");
  file.set_attribute_text("meta", "empty", "");
  file.set_attribute_text("meta", "long", std::string(100000, 'x'));
  file.close();
}

TEST(Hdf5, EqualBytesTakeLittleRoomOnceDeflated) {
  const TemporaryFolder folder;
  Hdf5File file = Hdf5File::create(folder / "a.h5");
  file.write_bytes("images", {100, 100, 10}, std::vector<uint8_t>(100'000, 7), {.deflate = 6});
  file.close();
  EXPECT_LT(fs::file_size(folder / "a.h5"), 20'000);
}

TEST(Hdf5, ReadsBackWhatItWrote) {
  const TemporaryFolder folder;
  write_everything(folder / "a.h5");
  const Hdf5File file = Hdf5File::open_read(folder / "a.h5");
  expect_same(file.read("/meta/net/weight"), counting<float>({300, 5, 70}));
  expect_same(file.read("meta/net/bias"), counting<double>({7}));
  expect_same(file.read("labels"), counting<int32_t>({40000}));
  expect_same(file.read("scalar"), Tensor::scalar(2.5));
  expect_same(file.read("none"), Tensor(DType::f32, {0, 3}));
  EXPECT_EQ(file.read_bytes("images").shape, Shape({100, 9, 9}));
  EXPECT_EQ(file.read_bytes("images").values, std::vector<uint8_t>(8100, 7));
  EXPECT_EQ(file.info("images").type, ElementType::u8);
  EXPECT_EQ(file.read_texts("names"), (Texts{"alpha", "", "Ђirilica"}));
  EXPECT_EQ(file.attribute_int("/", "version"), -3);
  EXPECT_EQ(file.attribute_real("meta", "rate"), 0.1);
  EXPECT_EQ(file.attribute_text("meta", "unit"), "px");
  EXPECT_EQ(file.attribute_text("meta", "empty"), "");
  EXPECT_EQ(file.attribute_text("meta", "long"), std::string(100000, 'x'));
}

TEST(Hdf5, ListsWhatIsThere) {
  const TemporaryFolder folder;
  write_everything(folder / "a.h5");
  const Hdf5File file = Hdf5File::open_read(folder / "a.h5");
  EXPECT_EQ(file.list(), (Texts{"images", "labels", "meta", "names", "none", "scalar"}));
  EXPECT_EQ(file.list_datasets("meta"), (Texts{"meta/net/bias", "meta/net/weight"}));
  EXPECT_EQ(file.list_attributes("meta"), (Texts{"empty", "long", "rate", "unit"}));
  EXPECT_TRUE(file.exists("meta/net/bias"));
  EXPECT_FALSE(file.exists("meta/nothing/bias"));
  EXPECT_TRUE(file.is_group("meta/net"));
  EXPECT_FALSE(file.is_group("scalar"));
  EXPECT_TRUE(file.has_attribute("meta", "unit"));
  EXPECT_FALSE(file.has_attribute("meta", "color"));
}

TEST(Hdf5, EqualContentGivesEqualBytes) {
  const TemporaryFolder folder;
  write_everything(folder / "a.h5");
  std::this_thread::sleep_for(
      std::chrono::milliseconds(1100));  // past the resolution of HDF5's times
  std::thread([&] { write_everything(folder / "b.h5"); }).join();
  EXPECT_TRUE(read_file(folder / "a.h5") == read_file(folder / "b.h5"));
}

TEST(Hdf5, KeepsEveryBitOfFloats) {
  const TemporaryFolder folder;
  const auto values = {std::nan("7"), -0.0, std::numeric_limits<double>::denorm_min(),
                       -std::numeric_limits<double>::infinity()};
  const Tensor tensor = Tensor::from<double>({4}, values);
  Hdf5File file = Hdf5File::create(folder / "a.h5");
  file.write("odd", tensor);
  file.close();
  expect_same(Hdf5File::open_read(folder / "a.h5").read("odd"), tensor);
}

TEST(Hdf5, ErrorsNameFileAndObject) {
  const TemporaryFolder folder;
  write_everything(folder / "a.h5");
  const Hdf5File file = Hdf5File::open_read(folder / "a.h5");
  const std::string path = folder / "a.h5";
  EXPECT_EQ(message_of<BadInput>([&] { file.read("meta/gone"); }), path + ": has no /meta/gone");
  EXPECT_EQ(message_of<BadInput>([&] { file.read("meta"); }), path + ": /meta is not a data set");
  EXPECT_EQ(message_of<BadInput>([&] { file.read("names"); }),
            path + ": /names: expected numbers of at most 64 bits");
  EXPECT_EQ(message_of<BadInput>([&] { file.read_bytes("scalar"); }),
            path + ": /scalar: expected unsigned bytes");
  EXPECT_EQ(message_of<BadInput>([&] { file.attribute_int("meta", "unit"); }),
            path + ": /meta@unit: expected integers");
  EXPECT_EQ(message_of<BadInput>([&] { file.attribute_int("meta", "color"); }),
            path + ": has no attribute /meta@color");
}

TEST(Hdf5, RefusesWhatIsNotAnHdf5File) {
  const TemporaryFolder folder;
  std::ofstream(folder / "text.h5") << "not HDF5";
  EXPECT_CONTAINS(message_of<BadInput>([&] { Hdf5File::open_read(folder / "text.h5"); }),
                  "is not an HDF5 file");
  EXPECT_CONTAINS(message_of<BadInput>([&] { Hdf5File::open_read(folder / "gone.h5"); }),
                  "no such file");
  EXPECT_CONTAINS(message_of<BadInput>([&] { Hdf5File::open_read(folder.path()); }), "is a folder");
  EXPECT_CONTAINS(message_of<SystemFailure>([&] { Hdf5File::create(folder / "text.h5"); }),
                  "cannot create: File exists");
  EXPECT_CONTAINS(message_of<SystemFailure>([&] { Hdf5File::create(folder / "gone" / "a.h5"); }),
                  "No such file or directory");
}

TEST(Hdf5, TextsWithANulInsideAreRefused) {
  const TemporaryFolder folder;
  Hdf5File file = Hdf5File::create(folder / "a.h5");
  const std::string text("a\0b", 3);
  EXPECT_THROW(file.write_text("text", text), BadInput);
  EXPECT_THROW(file.set_attribute_text("/", "text", text), BadInput);
}

TEST(Hdf5, NamesTheDamagedChunk) {
  const TemporaryFolder folder;
  const fs::path path = folder / "a.h5";
  const float mark = 123456.5F;
  Tensor tensor(DType::f32, {100, 1000});  // chunks of 25 rows
  tensor.as<float>()[60 * 1000] = mark;    // in the third one
  Hdf5File file = Hdf5File::create(path);
  file.write("meta/w", tensor);
  file.close();

  std::string content = read_file(path);
  const size_t at = content.find(std::string_view(reinterpret_cast<const char*>(&mark), 4));
  ASSERT_NE(at, std::string::npos);
  content[at] ^= 1;
  write_file_atomically(path, content);
  const std::string message =
      message_of<CorruptFile>([&] { Hdf5File::open_read(path).read("meta/w"); });
  EXPECT_CONTAINS(message, path.string() + ": /meta/w chunk 2 at (50, 0): cannot read: ");
  EXPECT_CONTAINS(message, "Fletcher32");
  EXPECT_EQ(message.find('\n'), std::string::npos);
}

TEST(Hdf5, TruncationIsDamage) {
  const TemporaryFolder folder;
  const fs::path path = folder / "a.h5";
  write_everything(path);
  fs::resize_file(path, fs::file_size(path) - 1);
  EXPECT_CONTAINS(message_of<CorruptFile>([&] { Hdf5File::open_read(path); }), "truncated");
}

TEST(Hdf5, AnUnfinishedFileIsRemoved) {
  const TemporaryFolder folder;
  {
    Hdf5File file = Hdf5File::create(folder / "a.h5");
    file.write("w", counting<float>({1000}));
  }
  EXPECT_FALSE(fs::exists(folder / "a.h5"));
}

TEST(Hdf5, ThreadsMayReadAtTheSameTime) {
  const TemporaryFolder folder;
  write_everything(folder / "a.h5");
  const Hdf5File file = Hdf5File::open_read(folder / "a.h5");
  std::vector<std::thread> threads;
  std::atomic<int> refused = 0;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int j = 0; j < 20; ++j) {
        expect_same(file.read("labels"), counting<int32_t>({40000}));
        try {
          file.read("gone");
        } catch (const BadInput&) {
          ++refused;
        }
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(refused, 80);
}

TEST(Seal, HoldsForTheFileAsWritten) {
  const TemporaryFolder folder;
  const fs::path path = folder / "a.h5";
  Hdf5File file = Hdf5File::create(path, {.room_for_seal = true});
  file.write("w", counting<float>({1000}));
  file.close();
  EXPECT_FALSE(is_sealed(path));
  EXPECT_EQ(check_seal(path), "no seal in front");
  seal_file(path);
  EXPECT_TRUE(is_sealed(path));
  EXPECT_EQ(check_seal(path), "");
  expect_same(Hdf5File::open_read(path).read("w"), counting<float>({1000}));
}

TEST(Seal, OtherReadersSkipIt) {
  const std::string python = python_with("h5py");
  OL_SKIP_WITHOUT(python, "h5py");
  const TemporaryFolder folder;
  Hdf5File file = Hdf5File::create(folder / "a.h5", {.room_for_seal = true});
  file.write("meta/w", counting<float>({2, 3}));
  file.write_text("config/yaml", "seed: 7");
  file.set_attribute_text("meta", "unit", "px");
  file.close();
  seal_file(folder / "a.h5");
  EXPECT_EQ(run_python(python, R"(
import h5py, sys
file = h5py.File(sys.argv[1], 'r')
print(file['meta/w'][()].tolist(), file['config/yaml'][0], file['meta'].attrs['unit'])
)",
                       folder / "a.h5"),
            "[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]] b'seed: 7' b'px'\n");
}

TEST(Seal, BreaksWithAnyChange) {
  const TemporaryFolder folder;
  const fs::path path = folder / "a.h5";
  Hdf5File file = Hdf5File::create(path, {.room_for_seal = true});
  file.write("w", counting<float>({10}));
  file.close();
  seal_file(path);
  const std::string whole = read_file(path);
  {
    std::fstream stream(path, std::ios::binary | std::ios::in | std::ios::out);
    const auto put = [&](size_t byte, char value) {
      stream.seekp(static_cast<std::streamoff>(byte)).put(value).flush();
    };
    for (size_t byte = 0; byte < whole.size(); ++byte) {
      put(byte, static_cast<char>(whole[byte] ^ 1 << (byte % 8)));
      ASSERT_NE(check_seal(path), "") << "byte " << byte;
      put(byte, whole[byte]);
    }
  }
  const auto verdict = [&](const std::string& content) {
    std::ofstream(path, std::ios::binary) << content;
    return check_seal(path);
  };
  EXPECT_EQ(verdict(whole), "");
  EXPECT_CONTAINS(verdict(whole.substr(0, 1000)), "truncated: 488 of ");
  EXPECT_CONTAINS(verdict(whole.substr(0, 100)), "truncated: 100 bytes are left");
  EXPECT_CONTAINS(verdict(""), "truncated");
  EXPECT_EQ(verdict(whole + "x"), "content differs from its checksum");
}

}  // namespace
}  // namespace outerloop::io
