#include "data/sine.h"

namespace outerloop::data {
namespace {

[[gnu::always_inline]] inline void add_sine_body(const Sine& sine, std::span<const float> x,
                                                 std::span<float> y) {
  const Sine own = sine;
  const float* __restrict in = x.data();
  float* __restrict out = y.data();
  for (size_t i = 0; i < x.size(); ++i) {
    out[i] = plus_sine(own, in[i], out[i]);
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
