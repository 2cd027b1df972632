#include "matmul_check.h"

namespace outerloop::exec {
namespace {

struct Shape {
  int64_t images, height, width, in, out;
  int64_t kernel = 3, stride = 1, pad = 1;
  int64_t kernel_width = 0;  // 0: as the height
};

ConvGeometry geometry_of(const Shape& s) {
  ConvGeometry g{.images = s.images,
                 .height = s.height,
                 .width = s.width,
                 .in_channels = s.in,
                 .out_channels = s.out,
                 .kernel_height = s.kernel,
                 .kernel_width = s.kernel_width == 0 ? s.kernel : s.kernel_width,
                 .stride = s.stride,
                 .pad_top = s.pad,
                 .pad_left = s.pad};
  g.out_height = std::max<int64_t>(0, (s.height + 2 * s.pad - g.kernel_height) / s.stride + 1);
  g.out_width = std::max<int64_t>(0, (s.width + 2 * s.pad - g.kernel_width) / s.stride + 1);
  return g;
}

struct Result {
  int64_t rows, columns;
  std::vector<int64_t> operands;  // elements of the two operands
};

Result result_of(const ConvGeometry& g, ConvDirection direction) {
  const int64_t x = g.images * g.height * g.width;
  const int64_t y = g.images * g.out_height * g.out_width;
  const int64_t taps = g.kernel_height * g.kernel_width;
  const int64_t w = taps * g.in_channels * g.out_channels;
  switch (direction) {
    case ConvDirection::forward:
      return {y, g.out_channels, {x * g.in_channels, w}};
    case ConvDirection::input:
      return {x, g.in_channels, {y * g.out_channels, w}};
    case ConvDirection::filter:
      return {taps * g.in_channels, g.out_channels, {x * g.in_channels, y * g.out_channels}};
  }
  return {};
}

constexpr std::array kDirections{ConvDirection::forward, ConvDirection::input,
                                 ConvDirection::filter};

void check(const Shape& s, ConvDirection direction, DType dtype, EpilogueKind kind, uint32_t seed) {
  const ConvGeometry geometry = geometry_of(s);
  const Result result = result_of(geometry, direction);
  const EpilogueCase epilogue = make_epilogue(kind, dtype, 0, result.columns + s.out % 2);
  const ConvSpec spec{
      .dtype = dtype, .direction = direction, .geometry = geometry, .epilogue = epilogue.epilogue};
  std::vector<int64_t> counts = result.operands;
  for (const int64_t count : operand_counts(spec.epilogue, 1, result.rows, result.columns)) {
    counts.push_back(count);
  }
  std::vector<int> aliases{-1, -1};
  for (const int alias : epilogue.aliases) aliases.push_back(alias < 0 ? alias : alias + 2);
  const Kernel oracle = make_conv(spec, Isa::scalar);
  for (const Isa isa : generated_isas()) {
    expect_same_bits(
        make_conv(spec, isa), oracle, dtype, counts, aliases, seed,
        fmt::format(
            "{}x{}x{}x{} -> {} kernel {}x{} stride {} pad {} direction {} {} {} epilogue {}",
            s.images, s.height, s.width, s.in, s.out, geometry.kernel_height, geometry.kernel_width,
            s.stride, s.pad, static_cast<int>(direction), name_of(isa), name_of(dtype),
            static_cast<int>(kind)));
  }
}

const Shape kShapes[] = {
    {5, 28, 28, 1, 64, 3, 2},  // the layers of the four-block network
    {2, 14, 14, 64, 64, 3, 2},
    {5, 7, 7, 64, 64, 3, 2},
    {5, 4, 4, 64, 64, 3, 2},
    {1, 28, 28, 1, 20},         // stride 1, first layer
    {2, 9, 9, 3, 32, 3, 1, 0},  // no padding
    {1, 5, 5, 2, 3, 3, 1, 2},   // more padding than the kernel needs
    {3, 6, 5, 7, 13, 2, 2, 0},  // even kernel, a row that no tap reads
    {2, 8, 8, 4, 40, 5, 3, 2},
    {1, 10, 10, 5, 6, 1, 1, 0},    // one tap
    {2, 11, 7, 3, 5, 1, 3, 0},     // pixels without taps in the input direction
    {2, 7, 9, 2, 17, 3, 2, 1, 5},  // kernel 3x5
    {1, 2, 2, 1, 1, 3, 1, 1},      // smaller than the kernel
    {1, 1, 1, 130, 70, 3, 1, 1},
    {200, 4, 4, 2, 5, 3, 2, 1},  // many images: the tables repeat
    {7, 20, 20, 1, 9, 3, 1, 1},
    {6, 20, 20, 8, 9},          // the filter gradient goes through its table
                                // three times
    {3, 32, 32, 8, 64},         // ... in three chunks of the cache
    {3, 40, 40, 1, 64},         // ... with few channels
    {2, 26, 26, 96, 64, 3, 3},  // ... with more rows than the scratch area holds
};

TEST(Conv, EqualsTheOracleBitByBit) {
  uint32_t seed = 1;
  for (const Shape& shape : kShapes) {
    for (const ConvDirection direction : kDirections) {
      check(shape, direction, DType::f32, EpilogueKind::store, ++seed);
      check(shape, direction, DType::f64, EpilogueKind::store, ++seed);
    }
  }
}

TEST(Conv, EveryChannelCount) {
  for (int64_t channels = 1; channels <= 36; ++channels) {
    for (const ConvDirection direction : kDirections) {
      check({1, 5, 4, channels, 3}, direction, DType::f32, EpilogueKind::store, 5);
      check({1, 5, 4, 2, channels, 3, 2}, direction, DType::f32, EpilogueKind::store, 6);
    }
  }
}

TEST(Conv, RandomShapesAndEpilogues) {
  std::mt19937 generator(21);
  const auto draw = [&](uint32_t below) { return static_cast<int64_t>(generator() % below); };
  for (uint32_t i = 0; i < 200; ++i) {
    const int64_t kernel = draw(4) + 1;
    const Shape shape{draw(4) + 1, kernel + draw(8), kernel + draw(8),
                      draw(9) + 1, draw(40) + 1,     kernel,
                      draw(3) + 1, draw(3),          draw(2) == 0 ? 1 : 0};
    check(shape, kDirections[static_cast<size_t>(draw(3))], draw(3) == 0 ? DType::f64 : DType::f32,
          kEpilogueKinds[static_cast<size_t>(draw(kEpilogueKinds.size()))], i);
  }
}

TEST(Conv, EpiloguesOnAccumulators) {
  uint32_t seed = 1;
  for (const EpilogueKind kind : kEpilogueKinds) {
    for (const ConvDirection direction : kDirections) {
      check({2, 7, 7, 5, 64, 3, 2}, direction, DType::f32, kind, ++seed);
      check({2, 6, 5, 3, 33}, direction, DType::f64, kind, ++seed);
      check({1, 4, 4, 2, 300}, direction, DType::f32, kind, ++seed);
      check({3, 9, 9, 2, 18}, direction, DType::f32, kind, ++seed);
    }
  }
}

// The oracle itself against mathematics: the three directions are adjoint to each other,
// <conv(x, w), dy> = <x, input(dy, w^T)> = <w, filter(x, dy)>, and a kernel of one tap is a
// product.
TEST(Conv, OracleDirectionsAreAdjoint) {
  const Shape shape{2, 7, 6, 3, 4, 3, 2, 1};
  const ConvGeometry g = geometry_of(shape);
  const int64_t x = 2 * 7 * 6 * 3, w = 9 * 3 * 4, y = 2 * g.out_height * g.out_width * 4;
  const OperandSet set = OperandSet::random<double>({x, w, y, w, y, x, w}, {}, 9);
  const auto at = [&](int operand) { return static_cast<double*>(set.pointers()[operand]); };
  for (int64_t tap = 0; tap < 9; ++tap) {
    for (int64_t c = 0; c < 3; ++c) {
      for (int64_t o = 0; o < 4; ++o) at(3)[(tap * 4 + o) * 3 + c] = at(1)[(tap * 3 + c) * 4 + o];
    }
  }
  const auto run = [&](ConvDirection direction, int a, int b, int result, int64_t columns) {
    void* operands[] = {at(a), at(b), at(result)};
    make_conv({.dtype = DType::f64,
               .direction = direction,
               .geometry = g,
               .epilogue = store_epilogue(DType::f64, 0, columns)},
              Isa::scalar)(operands);
  };
  run(ConvDirection::forward, 0, 1, 4, 4);
  run(ConvDirection::input, 2, 3, 5, 3);
  run(ConvDirection::filter, 0, 2, 6, 4);
  const auto dot = [&](int a, int b, int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) sum += at(a)[i] * at(b)[i];
    return sum;
  };
  EXPECT_NEAR(dot(4, 2, y), dot(0, 5, x), 1e-12);
  EXPECT_NEAR(dot(4, 2, y), dot(1, 6, w), 1e-12);
}

// One output of the oracle by hand: the corner, where five of the nine taps are padding.
TEST(Conv, OracleSkipsPadding) {
  ConvGeometry g{.images = 1,
                 .height = 2,
                 .width = 2,
                 .in_channels = 1,
                 .out_height = 2,
                 .out_width = 2,
                 .out_channels = 1,
                 .pad_top = 1,
                 .pad_left = 1};
  double x[] = {1, 2, 3, 4}, w[] = {1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8}, y[4];
  void* operands[] = {x, w, y};
  make_conv({.dtype = DType::f64, .geometry = g, .epilogue = store_epilogue(DType::f64, 0, 1)},
            Isa::scalar)(operands);
  EXPECT_EQ(y[0], 1 * 1e4 + 2 * 1e5 + 3 * 1e7 + 4 * 1e8);
  EXPECT_EQ(y[3], 1 * 1 + 2 * 10 + 3 * 1e3 + 4 * 1e4);
}

}  // namespace
}  // namespace outerloop::exec
