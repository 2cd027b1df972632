#include "data/sine.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "outerloop/base/philox.h"
#include "outerloop/data/function_families.h"

namespace outerloop::data {
namespace {

// Error of y against the exact sine, in units in the last place of the exact value.
double error_in_ulps(float y, double exact) {
  const float nearest = static_cast<float>(exact);
  const float next = std::nextafter(std::abs(nearest), std::numeric_limits<float>::infinity());
  return std::abs(y - exact) / (double{next} - std::abs(nearest));
}

std::vector<float> sines(SineKernel kernel, const std::vector<float>& x) {
  std::vector<float> y(x.size(), 0.0F);
  kernel({.amplitude = 1, .frequency = 1, .phase = 0}, x, y);
  return y;
}

// Every 61st float up to the largest argument, both signs, and floats next to multiples of pi.
std::vector<float> arguments() {
  std::vector<float> x;
  const auto last = std::bit_cast<uint32_t>(kMaxSineArgument);
  for (uint32_t bits = std::bit_cast<uint32_t>(1e-6F); bits <= last; bits += 61) {
    x.push_back(std::bit_cast<float>(bits ^ (bits & 1) << 31));
  }
  for (int k = 1; k < 2600; ++k) {
    const auto multiple = static_cast<float>(k * 3.14159265358979323846);
    x.insert(x.end(), {multiple, std::nextafter(multiple, 0.0F), std::nextafter(multiple, 1e9F)});
  }
  return x;
}

TEST(Sine, IsWithinTwoUnitsInTheLastPlace) {
  const std::vector<float> x = arguments();
  std::vector<float> y(x.size(), 0.0F);
  add_sine({.amplitude = 1, .frequency = 1, .phase = 0}, x, y);
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    worst = std::max(worst, error_in_ulps(y[i], std::sin(double{x[i]})));
  }
  EXPECT_LT(worst, 2.0);
  RecordProperty("worst_ulp", std::to_string(worst));
}

TEST(Sine, HasTheSameBitsOnEveryInstructionSet) {
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
    GTEST_SKIP() << "this processor has no AVX2 with FMA";
  }
  std::vector<float> x(200'003);
  Philox random({.seed = 1});
  random.fill(x, -kMaxSineArgument, kMaxSineArgument);
  const std::vector<float> base = sines(add_sine_base, x);
  const std::vector<float> avx2 = sines(add_sine_avx2, x);
  for (size_t i = 0; i < x.size(); ++i) {
    ASSERT_EQ(std::bit_cast<uint32_t>(base[i]), std::bit_cast<uint32_t>(avx2[i])) << x[i];
  }
}

TEST(Sine, DoesNotDependOnTheNumberOfPoints) {
  std::vector<float> x(40);
  Philox({.seed = 2}).fill(x, -20.0F, 20.0F);
  const Sine sine{.amplitude = 1.5F, .frequency = 3.0F, .phase = 0.25F};
  std::vector<float> all(x.size(), 0.0F);
  add_sine(sine, x, all);
  for (size_t count = 0; count <= x.size(); ++count) {
    std::vector<float> some(count, 0.0F);
    add_sine(sine, std::span<const float>(x).first(count), some);
    for (size_t i = 0; i < count; ++i) ASSERT_EQ(some[i], all[i]);
  }
}

TEST(Sine, AddsAmplitudeFrequencyAndPhase) {
  const std::vector<float> x = {0.5F, -2.0F};
  std::vector<float> y = {10.0F, 20.0F};
  add_sine({.amplitude = 2, .frequency = 3, .phase = 1}, x, y);
  EXPECT_NEAR(y[0], 10 + 2 * std::sin(3 * 0.5 + 1), 1e-5);
  EXPECT_NEAR(y[1], 20 + 2 * std::sin(3 * -2.0 + 1), 1e-5);
}

}  // namespace
}  // namespace outerloop::data
