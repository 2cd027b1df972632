#include "data/sine.h"

#include <bit>
#include <cmath>
#include <cstdint>

namespace outerloop::data {
namespace {

// Cody and Waite: x = k pi + r with |r| <= pi/2, pi in three floats; the first subtraction is exact
// for |k| < 2^12. Then an odd polynomial in r, fitted for least relative error (6.1e-9).
[[gnu::always_inline]] inline float sine_of(float x) {
  constexpr float kRound = 0x1.8p23F;  // adding it leaves the nearest integer in the low bits
  const float shifted = std::fma(x, 0x1.45f306p-2F, kRound);
  const uint32_t odd = std::bit_cast<uint32_t>(shifted) << 31;
  const float k = shifted - kRound;
  float r = std::fma(k, -0x1.921fb6p+1F, x);
  r = std::fma(k, 0x1.777a5cp-24F, r);
  r = std::fma(k, 0x1.ee59dap-49F, r);
  const float square = r * r;
  float series = 0x1.5db3acp-19F;
  series = std::fma(series, square, -0x1.9f6f5p-13F);
  series = std::fma(series, square, 0x1.110edp-7F);
  series = std::fma(series, square, -0x1.55554cp-3F);
  const float sine = std::fma(series * square, r, r);
  return std::bit_cast<float>(std::bit_cast<uint32_t>(sine) ^ odd);
}

[[gnu::always_inline]] inline void add_sine_body(const Sine& sine, std::span<const float> x,
                                                 std::span<float> y) {
  const float amplitude = sine.amplitude;
  const float frequency = sine.frequency;
  const float phase = sine.phase;
  const float* __restrict in = x.data();
  float* __restrict out = y.data();
  for (size_t i = 0; i < x.size(); ++i) {
    out[i] = std::fma(amplitude, sine_of(std::fma(frequency, in[i], phase)), out[i]);
  }
}

}  // namespace

void add_sine_base(const Sine& sine, std::span<const float> x, std::span<float> y) {
  add_sine_body(sine, x, y);
}

[[gnu::target("avx2,fma")]] void add_sine_avx2(const Sine& sine, std::span<const float> x,
                                               std::span<float> y) {
  add_sine_body(sine, x, y);
}

void add_sine(const Sine& sine, std::span<const float> x, std::span<float> y) {
  static const SineKernel kernel = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
                                       ? add_sine_avx2
                                       : add_sine_base;
  kernel(sine, x, y);
}

}  // namespace outerloop::data
