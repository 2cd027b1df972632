// safetensors and npz.

#include "outerloop/io/export.h"

#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "io/python.h"
#include "io/temporary_folder.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"

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

}  // namespace
}  // namespace outerloop::io
