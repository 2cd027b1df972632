// Files that other programs wrote: older format, contiguous, other types. See data/make_foreign.py.

#include <gtest/gtest.h>

#include "io/temporary_folder.h"
#include "outerloop/base/error.h"
#include "outerloop/io/hdf5.h"
#include "support/message_of.h"

namespace outerloop::io {
namespace {

using Texts = std::vector<std::string>;

Hdf5File open_foreign() {
  return Hdf5File::open_read(OUTERLOOP_SOURCE_DIR "/tests/io/data/foreign_1_8.h5");
}

TEST(ForeignHdf5, FloatsOfEveryKindAreRead) {
  const Hdf5File file = open_foreign();
  const Tensor matrix = file.read("op/matmul/inputs/0");
  EXPECT_EQ(matrix.dtype(), DType::f64);
  EXPECT_EQ(matrix.shape(), Shape({2, 3}));
  for (int i = 0; i < 6; ++i) EXPECT_EQ(matrix.to_doubles()[static_cast<size_t>(i)], i / 7.0);
  EXPECT_EQ(file.read("op/matmul/c").shape(), Shape{});
  EXPECT_EQ(file.read("op/matmul/c").to_doubles()[0], 0.1);
  EXPECT_EQ(file.read("big_endian").dtype(), DType::f32);
  EXPECT_EQ(file.read("big_endian").to_doubles(), (std::vector<double>{1.5, -2.5}));
  EXPECT_EQ(file.read("half").to_doubles(), std::vector<double>{0.5});
}

TEST(ForeignHdf5, IntegersAreReadWhereTheyFit) {
  const Hdf5File file = open_foreign();
  EXPECT_EQ(file.read("wide").dtype(), DType::i32);
  EXPECT_EQ(file.read("wide").to_doubles(), (std::vector<double>{1, -2, 2147483647}));
  EXPECT_CONTAINS(message_of<BadInput>([&] { file.read("too_wide"); }),
                  "/too_wide: expected integers of 32 bits");
  EXPECT_EQ(file.read("bytes").to_doubles(), (std::vector<double>{0, 255}));
  EXPECT_EQ(file.read_bytes("bytes").values, (std::vector<uint8_t>{0, 255}));
}

TEST(ForeignHdf5, TextsOfFixedLengthAreRead) {
  const Hdf5File file = open_foreign();
  EXPECT_EQ(file.read_texts("names"), (Texts{"a", "bcd"}));
  EXPECT_EQ(file.attribute_text("op/matmul", "op"), "y = x w");
  EXPECT_CONTAINS(message_of<BadInput>([&] { file.read_texts("long_names"); }),
                  "/long_names: expected texts of fixed length");
  EXPECT_CONTAINS(message_of<BadInput>([&] { file.attribute_text("/", "note"); }),
                  "/@note: expected a text of fixed length");
}

TEST(ForeignHdf5, NumbersInAttributesAreRead) {
  const Hdf5File file = open_foreign();
  EXPECT_EQ(file.attribute_int("/", "seed"), 42);
  EXPECT_EQ(file.attribute_real("/", "seed"), 42.0);
  EXPECT_EQ(file.attribute_reals("/", "scales"), (std::vector<double>{1, 2}));
  EXPECT_CONTAINS(message_of<BadInput>([&] { file.attribute_real("/", "scales"); }),
                  "/@scales: expected one number, it holds 2");
}

}  // namespace
}  // namespace outerloop::io
