// safetensors and npz.

#include "outerloop/io/export.h"

#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "io/import.h"
#include "io/python.h"
#include "io/temporary_folder.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"
#include "outerloop/io/hdf5.h"
#include "outerloop/io/import.h"
#include "support/message_of.h"

namespace outerloop::io {
namespace {

TensorTree example() {
  return {{"net/w", Tensor::from<float>({2, 3}, {1, 2, 3, 4, 5, 6})},
          {"net/b", Tensor::from<double>({1}, {0.1})},
          {"scale", Tensor::scalar(2.5F)},
          {"classes", Tensor::from<int32_t>({2}, {-1, 7})},
          {"none", Tensor(DType::f32, {0, 4})}};
}

// What numpy makes of each: name, type, shape, values.
constexpr const char* kExpected =
    "classes int32 (2,) [-1, 7]\n"
    "net/b float64 (1,) [0.1]\n"
    "net/w float32 (2, 3) [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]\n"
    "none float32 (0, 4) []\n"
    "scale float32 () 2.5\n";

TEST(Safetensors, HeaderAndDataFollowTheFormat) {
  const TemporaryFolder folder;
  write_safetensors(folder / "a", example(), {{"iteration", "5"}});
  const std::string content = read_file(folder / "a");
  uint64_t length = 0;
  std::memcpy(&length, content.data(), 8);
  EXPECT_EQ(length % 8, 0u);
  const auto header = nlohmann::json::parse(content.substr(8, length));
  EXPECT_EQ(header["__metadata__"]["iteration"], "5");
  EXPECT_EQ(header["net/w"]["dtype"], "F32");
  EXPECT_EQ(header["net/w"]["shape"], nlohmann::json({2, 3}));
  EXPECT_EQ(header["net/b"]["data_offsets"], nlohmann::json({24, 32}));
  EXPECT_EQ(header["scale"]["shape"], nlohmann::json::array());
  double b = 0;
  std::memcpy(&b, content.data() + 8 + length + 24, 8);
  EXPECT_EQ(b, 0.1);
  EXPECT_EQ(content.size(), 8 + length + 24 + 8 + 4 + 8);
}

TEST(Safetensors, TheRealReaderSeesTheTensors) {
  const std::string python = python_with("safetensors.numpy");
  OL_SKIP_WITHOUT(python, "safetensors numpy");
  const TemporaryFolder folder;
  write_safetensors(folder / "a", example());
  EXPECT_EQ(run_python(python, R"(
import sys
from safetensors.numpy import load_file
for name, x in sorted(load_file(sys.argv[1]).items()): print(name, x.dtype, x.shape, x.tolist())
)",
                       folder / "a"),
            kExpected);
}

TEST(Npz, NumpySeesTheTensors) {
  const std::string python = python_with("numpy");
  OL_SKIP_WITHOUT(python, "numpy");
  const TemporaryFolder folder;
  write_npz(folder / "a.npz", example());
  EXPECT_EQ(run_python(python, R"(
import sys, numpy
for name, x in sorted(numpy.load(sys.argv[1]).items()): print(name, x.dtype, x.shape, x.tolist())
)",
                       folder / "a.npz"),
            kExpected);
}

// Needs only Python itself: zipfile checks structure and checksums, the .npy header is a literal.
TEST(Npz, IsASoundZipOfNpyFiles) {
  const std::string python = python_with("zipfile");
  OL_SKIP_WITHOUT(python, "zipfile");
  const TemporaryFolder folder;
  write_npz(folder / "a.npz", example());
  EXPECT_EQ(run_python(python, R"(
import ast, struct, sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
assert archive.testzip() is None
for name in archive.namelist():
  data = archive.read(name)
  assert data[:8] == b'\x93NUMPY\x01\x00'
  end = 10 + struct.unpack('<H', data[8:10])[0]
  assert end % 64 == 0 and data[end - 1:end] == b'\n'
  header = ast.literal_eval(data[10:end].decode())
  print(name, header['descr'], header['shape'], header['fortran_order'], len(data) - end)
)",
                       folder / "a.npz"),
            "net/w.npy <f4 (2, 3) False 24\n"
            "net/b.npy <f8 (1,) False 8\n"
            "scale.npy <f4 () False 4\n"
            "classes.npy <i4 (2,) False 8\n"
            "none.npy <f4 (0, 4) False 0\n");
}

TEST(Export, EqualTensorsGiveEqualBytes) {
  const TemporaryFolder folder;
  for (const char* name : {"1", "2"}) {
    write_npz(folder / (std::string(name) + ".npz"), example());
    write_safetensors(folder / (std::string(name) + ".st"), example(), {{"a", "b"}});
  }
  EXPECT_EQ(read_file(folder / "1.npz"), read_file(folder / "2.npz"));
  EXPECT_EQ(read_file(folder / "1.st"), read_file(folder / "2.st"));
}

TEST(Export, TwoTensorsOfOneNameAreRefused) {
  const TemporaryFolder folder;
  const TensorTree twins = {{"w", Tensor::scalar(1.0F)}, {"w", Tensor::scalar(2.0F)}};
  EXPECT_CONTAINS(message_of<BadInput>([&] { write_npz(folder / "a", twins); }),
                  "two tensors are named w");
  EXPECT_CONTAINS(message_of<BadInput>([&] { write_safetensors(folder / "a", twins); }),
                  "two tensors are named w");
}

// ---- The same files, read --------------------------------------------------------------------

void expect_equal(const TensorTree& found, const TensorTree& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].name, expected[i].name);
    EXPECT_EQ(found[i].value.dtype(), expected[i].value.dtype()) << found[i].name;
    EXPECT_EQ(found[i].value.shape(), expected[i].value.shape()) << found[i].name;
    EXPECT_EQ(found[i].value.to_doubles(), expected[i].value.to_doubles()) << found[i].name;
  }
}

TEST(Import, ReadsWhatWasWritten) {
  const TemporaryFolder folder;
  write_safetensors(folder / "a", example(), {{"iteration", "5"}});
  expect_equal(read_tensors(folder / "a"), example());
  write_npz(folder / "b", example());
  expect_equal(read_tensors(folder / "b"), example());
  const TensorTree two = {{"net/b", Tensor::scalar(0.1)}, {"w", Tensor::scalar(2.5F)}};
  Hdf5File file = Hdf5File::create(folder / "c", {.room_for_seal = true});
  for (const auto& [name, value] : two) file.write(name, value);
  file.write_text("note", "not a tensor");
  file.close();
  expect_equal(read_tensors(folder / "c"), two);
}

TEST(Import, ReadsWhatNumpyWrites) {
  const std::string python = python_with("numpy");
  OL_SKIP_WITHOUT(python, "numpy");
  const TemporaryFolder folder;
  run_python(python, R"(
import sys, numpy
m = numpy.arange(6, dtype='f4').reshape(2, 3) + 1
numpy.savez(open(sys.argv[1], 'wb'), **{'net/w': m, 'columns': numpy.asfortranarray(m), 'scale': numpy.float64(2.5)})
)",
             folder / "a.npz");
  const Tensor matrix = Tensor::from<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  expect_equal(read_tensors(folder / "a.npz"),
               {{"net/w", matrix}, {"columns", matrix}, {"scale", Tensor::scalar(2.5)}});
}

TEST(Import, RefusesOtherFiles) {
  const TemporaryFolder folder;
  const auto refusal = [&](const std::string& content) {
    write_file_atomically(folder / "a", content);
    return message_of<BadInput>([&] { read_tensors(folder / "a"); });
  };
  EXPECT_CONTAINS(refusal("a,b\n1,2\n"), "begins like neither safetensors, .npz nor HDF5");
  EXPECT_CONTAINS(message_of<BadInput>([&] { read_tensors(folder / "none"); }), "no such file");
  const std::string bf16 = R"({"w":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}})";
  const std::string length(1, static_cast<char>(bf16.size()));
  EXPECT_CONTAINS(refusal(length + std::string(7, 0) + bf16 + "xx"), "it is BF16; save it as F32");
}

// Wherever a file ends early or a byte differs: other tensors, or one of two errors.
TEST(Import, SurvivesDamage) {
  const TemporaryFolder folder;
  write_npz(folder / "npz", example());
  write_safetensors(folder / "st", example());
  for (const auto& [name, parse] : {std::pair{"npz", &parse_npz}, {"st", &parse_safetensors}}) {
    const std::string whole = read_file(folder / name);
    for (size_t at = 0; at < whole.size(); ++at) {
      std::string other = whole;
      other[at] = static_cast<char>(other[at] ^ 0x41);
      EXPECT_THROW(parse(whole.substr(0, at), name), CorruptFile) << name << at;
      try {
        parse(other, name);
      } catch (const BadInput&) {
      } catch (const CorruptFile&) {
      }
    }
  }
}

}  // namespace
}  // namespace outerloop::io
