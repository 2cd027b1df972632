#include "outerloop/base/philox.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/philox_kernels.h"
#include "outerloop/base/error.h"

namespace outerloop {
namespace {

constexpr double kTwoToMinus53 = 0x1p-53;

// Natural logarithm of x in (0, 1) from correctly rounded operations only (plain products and sums:
// a fused step would be a library call where the build targets no FMA), so that it has the same
// bits everywhere: log(2^e m) = e log 2 + 2 atanh((m - 1) / (m + 1)) with m in [sqrt 1/2, sqrt 2).
double ordered_log(double x) {
  int exponent = 0;
  double mantissa = std::frexp(x, &exponent);
  if (mantissa < 0.70710678118654752440) {
    mantissa *= 2;
    --exponent;
  }
  const double s = (mantissa - 1) / (mantissa + 1);
  const double square = s * s;
  double series = 0;
  for (int power = 23; power >= 1; power -= 2) series = series * square + 1.0 / power;
  return exponent * 0.69314718055994530942 + 2 * s * series;
}

template <size_t N>
double polynomial(const std::array<double, N>& coefficients, double x) {
  double value = 0;
  for (size_t i = N; i-- > 0;) value = value * x + coefficients[i];
  return value;
}

// AS 241, PPND16: rational approximations in the centre and in two tails, constant term first.
constexpr std::array<double, 8> kCentreTop = {3.3871328727963666080e0, 1.3314166789178437745e2,
                                              1.9715909503065514427e3, 1.3731693765509461125e4,
                                              4.5921953931549871457e4, 6.7265770927008700853e4,
                                              3.3430575583588128105e4, 2.5090809287301226727e3};
constexpr std::array<double, 8> kCentreBottom = {1.0,
                                                 4.2313330701600911252e1,
                                                 6.8718700749205790830e2,
                                                 5.3941960214247511077e3,
                                                 2.1213794301586595867e4,
                                                 3.9307895800092710610e4,
                                                 2.8729085735721942674e4,
                                                 5.2264952788528545610e3};
constexpr std::array<double, 8> kTailTop = {1.42343711074968357734e0,  4.63033784615654529590e0,
                                            5.76949722146069140550e0,  3.64784832476320460504e0,
                                            1.27045825245236838258e0,  2.41780725177450611770e-1,
                                            2.27238449892691845833e-2, 7.74545014278341407640e-4};
constexpr std::array<double, 8> kTailBottom = {1.0,
                                               2.05319162663775882187e0,
                                               1.67638483018380384940e0,
                                               6.89767334985100004550e-1,
                                               1.48103976427480074590e-1,
                                               1.51986665636164571966e-2,
                                               5.47593808499534494600e-4,
                                               1.05075007164441684324e-9};
constexpr std::array<double, 8> kFarTop = {6.65790464350110377720e0,  5.46378491116411436990e0,
                                           1.78482653991729133580e0,  2.96560571828504891230e-1,
                                           2.65321895265761230930e-2, 1.24266094738807843860e-3,
                                           2.71155556874348757815e-5, 2.01033439929228813265e-7};
constexpr std::array<double, 8> kFarBottom = {1.0,
                                              5.99832206555887937690e-1,
                                              1.36929880922735805310e-1,
                                              1.48753612908506148525e-2,
                                              7.86869131145613259100e-4,
                                              1.84631831751005468180e-5,
                                              1.42151175831644588870e-7,
                                              2.04426310338993978564e-15};

template <class T>
void choose_into(Philox& random, uint32_t n, std::span<T> chosen) {
  const auto k = static_cast<uint32_t>(chosen.size());
  OL_ASSERT(k <= n, fmt::format("{} different numbers out of {}", k, n));
  for (uint32_t i = 0; i < k; ++i) {
    const uint32_t last = n - k + i;
    const auto candidate = static_cast<T>(random.below(last + 1));
    const bool taken =
        std::find(chosen.begin(), chosen.begin() + i, candidate) != chosen.begin() + i;
    chosen[i] = taken ? static_cast<T>(last) : candidate;
  }
  random.shuffle(chosen);
}

}  // namespace

static_assert(Philox::kGroupWords == kPhiloxGroupWords);

Philox::Philox(const StreamKey& key)
    : key_{static_cast<uint32_t>(key.seed), static_cast<uint32_t>(key.seed >> 32)},
      counter_{0, key.slot, static_cast<uint32_t>(key.iteration),
               static_cast<uint32_t>(key.iteration >> 32) | static_cast<uint32_t>(key.purpose)
                                                                << 16} {
  OL_ASSERT(key.iteration >> 48 == 0, fmt::format("iteration {}", key.iteration));
}

void Philox::refill() {
  philox_kernel()(key_, counter_, 1, words_.data());
  counter_[0] += kPhiloxLanes;
  used_ = 0;
}

double Philox::uniform_double() {
  const uint64_t high = next();
  const uint64_t bits = (high << 32 | next()) >> 12;  // 52 bits, and half a step to stay off 0
  return static_cast<double>(2 * bits + 1) * kTwoToMinus53;
}

uint32_t Philox::below(uint32_t bound) {
  OL_ASSERT(bound != 0, "a number below 0");
  uint64_t product = uint64_t{next()} * bound;
  if (static_cast<uint32_t>(product) < bound) {
    const uint32_t threshold = -bound % bound;
    while (static_cast<uint32_t>(product) < threshold) product = uint64_t{next()} * bound;
  }
  return static_cast<uint32_t>(product >> 32);
}

double Philox::normal() {
  return normal_quantile(uniform_double());
}

double Philox::truncated_normal(double limit) {
  for (;;) {
    const double value = normal();
    if (std::abs(value) <= limit) return value;
  }
}

void Philox::fill(std::span<uint32_t> words) {
  while (!words.empty()) {
    if (used_ == kGroupWords) {
      const size_t groups = words.size() / kGroupWords;
      if (groups > 0) {
        philox_kernel()(key_, counter_, groups, words.data());
        counter_[0] += static_cast<uint32_t>(groups * kPhiloxLanes);
        words = words.subspan(groups * kGroupWords);
        continue;
      }
      refill();
    }
    const size_t count = std::min(words.size(), kGroupWords - used_);
    std::copy_n(words_.begin() + static_cast<ptrdiff_t>(used_), count, words.begin());
    used_ += count;
    words = words.subspan(count);
  }
}

void Philox::fill(std::span<float> uniforms) {
  fill(uniforms, 0.0F, 1.0F);
}

void Philox::fill(std::span<float> uniforms, float low, float high) {
  while (!uniforms.empty()) {
    if (used_ == kGroupWords) refill();
    const size_t count = std::min(uniforms.size(), kGroupWords - used_);
    const uint32_t* words = words_.data() + used_;
    for (size_t i = 0; i < count; ++i) {
      uniforms[i] =
          low + (high - low) * (static_cast<float>(static_cast<int32_t>(words[i] >> 8)) * 0x1p-24F);
    }
    used_ += count;
    uniforms = uniforms.subspan(count);
  }
}

void Philox::choose(uint32_t n, std::span<uint32_t> chosen) {
  choose_into(*this, n, chosen);
}

void Philox::choose(uint32_t n, std::span<int32_t> chosen) {
  choose_into(*this, n, chosen);
}

double normal_quantile(double p) {
  const double q = p - 0.5;
  if (std::abs(q) <= 0.425) {
    const double r = 0.180625 - q * q;
    return q * polynomial(kCentreTop, r) / polynomial(kCentreBottom, r);
  }
  const double r = std::sqrt(-ordered_log(q < 0 ? p : 1 - p));
  const double value = r <= 5 ? polynomial(kTailTop, r - 1.6) / polynomial(kTailBottom, r - 1.6)
                              : polynomial(kFarTop, r - 5) / polynomial(kFarBottom, r - 5);
  return q < 0 ? -value : value;
}

}  // namespace outerloop
