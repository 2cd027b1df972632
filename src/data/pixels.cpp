#include "data/pixels.h"

#include <cstddef>

namespace outerloop::data {
namespace {

[[gnu::always_inline]] inline void scale_body(const uint8_t* __restrict pixels, size_t count,
                                              float* __restrict values) {
  for (size_t i = 0; i < count; ++i) values[i] = static_cast<float>(pixels[i]) / 255.0F;
}

void scale_base(const uint8_t* pixels, size_t count, float* values) {
  scale_body(pixels, count, values);
}

[[gnu::target("avx2")]] void scale_avx2(const uint8_t* pixels, size_t count, float* values) {
  scale_body(pixels, count, values);
}

// Source of output pixel (row, column): first + row * down + column * right, in pixels.
struct Walk {
  ptrdiff_t first;
  ptrdiff_t down;
  ptrdiff_t right;
};

Walk walk_of(int quarter_turns, ptrdiff_t n) {
  switch (quarter_turns) {
    case 1:
      return {n - 1, -1, n};
    case 2:
      return {n * n - 1, -n, -1};
    case 3:
      return {n * (n - 1), 1, -n};
    default:
      return {0, n, 1};
  }
}

// A rounded division by 255 for each level, made once.
struct Levels {
  float values[256];
  Levels() {
    for (int i = 0; i < 256; ++i) values[i] = static_cast<float>(i) / 255.0F;
  }
};

}  // namespace

void scale_pixels(std::span<const uint8_t> pixels, std::span<float> values) {
  static const auto kernel = __builtin_cpu_supports("avx2") ? scale_avx2 : scale_base;
  kernel(pixels.data(), pixels.size(), values.data());
}

void scale_turned(std::span<const uint8_t> pixels, int size, int channels, int quarter_turns,
                  std::span<float> values) {
  if (quarter_turns == 0) return scale_pixels(pixels, values);
  static const Levels levels;
  const Walk walk = walk_of(quarter_turns, size);
  float* out = values.data();
  for (int row = 0; row < size; ++row) {
    for (int column = 0; column < size; ++column) {
      const ptrdiff_t pixel = walk.first + row * walk.down + column * walk.right;
      const uint8_t* source = pixels.data() + pixel * channels;
      for (int c = 0; c < channels; ++c) *out++ = levels.values[source[c]];
    }
  }
}

}  // namespace outerloop::data
