#include "ops/functors.h"

#include <cmath>
#include <limits>
#include <span>

#include "ops/coefficients.h"

namespace outerloop {
namespace {

using namespace coefficients;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

using Table = std::span<const double>;

// What differs between the two element types.
struct Format {
  Table exp, exp2, log, sin, cos, ln2, half_pi;
  double min_exponent, max_exponent;  // of normal numbers 2^e m, 1 <= m < 2
  double min_normal, max_finite;
  double exp_lowest;       // the smallest x of the type whose exp is normal
  double tanh_limit;       // tanh is 1 from here on
  double subnormal_shift;  // 2^shift makes every subnormal number normal
};

const Format& format_of(Scalar x) {
  static constexpr Format kF32{.exp = kExpF32,
                               .exp2 = kExp2F32,
                               .log = kLogF32,
                               .sin = kSinF32,
                               .cos = kCosF32,
                               .ln2 = kLn2F32,
                               .half_pi = kHalfPiF32,
                               .min_exponent = -126,
                               .max_exponent = 127,
                               .min_normal = 0x1p-126,
                               .max_finite = 0x1.fffffep127,
                               .exp_lowest = -0x1.5d589e0000000p+6,
                               .tanh_limit = 10,
                               .subnormal_shift = 24};
  static constexpr Format kF64{.exp = kExpF64,
                               .exp2 = kExp2F64,
                               .log = kLogF64,
                               .sin = kSinF64,
                               .cos = kCosF64,
                               .ln2 = kLn2F64,
                               .half_pi = kHalfPiF64,
                               .min_exponent = -1022,
                               .max_exponent = 1023,
                               .min_normal = 0x1p-1022,
                               .max_finite = 0x1.fffffffffffffp1023,
                               .exp_lowest = -0x1.6232bdd7abcd2p+9,
                               .tanh_limit = 20,
                               .subnormal_shift = 54};
  return x.builder->dtype() == DType::f64 ? kF64 : kF32;
}

Scalar constant(Scalar like, double value) {
  return like.builder->constant(value);
}

// Horner's rule.
Scalar polynomial(Table coefficients, Scalar x) {
  Scalar sum = constant(x, coefficients.back());
  for (size_t i = coefficients.size() - 1; i-- > 0;) {
    sum = fma(sum, x, constant(x, coefficients[i]));
  }
  return sum;
}

// Whole and within [low, high] whatever n is: scale2 may not see a NaN.
Scalar clamp(Scalar n, double low, double high) {
  return max(min(n, constant(n, high)), constant(n, low));
}

// x = n ln(2) + remainder.
Scalar without_ln2(const Format& format, Scalar x, Scalar n) {
  const Scalar rest = fma(-n, constant(x, format.ln2[0]), x);
  return fma(-n, constant(x, format.ln2[1]), rest);
}

// exp(r) - 1 for |r| <= ln(2) / 2.
Scalar small_expm1(const Format& format, Scalar r) {
  return fma(polynomial(format.exp, r), r * r, r);
}

// x > 0, normal or not: x = (1 + f) 2^e with sqrt(1/2) <= 1 + f <= sqrt(2). Other x give something
// finite.
struct Split {
  Scalar e, f;
};
Split split(const Format& format, Scalar x) {
  const Scalar tiny = less(x, constant(x, format.min_normal));
  const Scalar raised =
      select(tiny, x * std::ldexp(1.0, static_cast<int>(format.subnormal_shift)), x);
  // Zero, negative numbers, infinities and NaN are out of bounds for exponent and mantissa.
  const Scalar safe =
      max(min(raised, constant(x, format.max_finite)), constant(x, format.min_normal));
  const Scalar m = mantissa(safe);
  const Scalar above = less(constant(x, 0x1.6a09e667f3bcdp0), m);  // sqrt(2)
  const Scalar centred = select(above, m * 0.5, m);
  const Scalar shift = select(tiny, constant(x, format.subnormal_shift), constant(x, 0));
  return {exponent(safe) + above - shift, centred - 1.0};
}

// Terms of log(1 + f) = f - (half - correction), all small against f.
struct LogTerms {
  Scalar half, correction;
};
LogTerms log_terms(const Format& format, Scalar f) {
  const Scalar s = f / (f + 2.0);
  const Scalar z = s * s;
  const Scalar half = f * f * 0.5;
  return {half, s * fma(polynomial(format.log, z), z, half)};
}

// What log-like functions give outside 0 < x < infinity.
Scalar outside_positive(Scalar x, Scalar inside, Scalar at_infinity_or_nan, double at_zero) {
  const Scalar finite = less(x, constant(x, kInfinity));
  const Scalar edge = select(equal(x, constant(x, 0)), constant(x, at_zero), constant(x, kNaN));
  return select(less(constant(x, 0), x), select(finite, inside, at_infinity_or_nan), edge);
}

// x = n pi / 2 + r.
struct Quadrant {
  Scalar n, r;
};
Quadrant quadrant(const Format& format, Scalar x) {
  const Scalar n = round(x * kTwoOverPi);
  Scalar r = x;
  for (double part : format.half_pi) r = fma(-n, constant(x, part), r);
  return {n, r};
}

// sin(r + n pi / 2).
Scalar sine(const Format& format, Scalar n, Scalar r) {
  const Scalar z = r * r;
  const Scalar sin_r = fma(polynomial(format.sin, z) * z, r, r);
  const Scalar cos_r =
      fma(polynomial(format.cos, z), z * z, fma(z, constant(z, -0.5), constant(z, 1)));
  const Scalar half = n * 0.5;
  const Scalar even = equal(half, round(half));
  // n mod 4 in -2 … 2: the sign is negative for -1, 2 and -2.
  const Scalar turn = fma(round(n * 0.25), constant(n, -4), n);
  const Scalar value = select(even, sin_r, cos_r);
  const Scalar negative = less(constant(n, 1.5), abs(turn)) + equal(turn, constant(n, -1));
  return select(negative, -value, value);
}

Scalar whole_power(Scalar x, double magnitude) {
  Scalar result = constant(x, 1);
  Scalar square = x;
  bool first = true;
  for (auto left = static_cast<uint64_t>(magnitude); left != 0; left /= 2) {
    if (left % 2 == 1) result = first ? square : result * square;
    if (left % 2 == 1) first = false;
    if (left > 1) square = square * square;
  }
  return result;
}

}  // namespace

Scalar exp_body(Scalar x) {
  const Format& format = format_of(x);
  const Scalar n = clamp(round(x * kLog2E), format.min_exponent, format.max_exponent + 1);
  const Scalar value = scale2(small_expm1(format, without_ln2(format, x, n)) + 1.0, n);
  // Large x overflow by themselves: n stops and the polynomial grows.
  return select(less(x, constant(x, format.exp_lowest)), constant(x, 0), value);
}

Scalar log_body(Scalar x) {
  const Format& format = format_of(x);
  const auto [e, f] = split(format, x);
  const auto [half, correction] = log_terms(format, f);
  const Scalar low = fma(e, constant(x, format.ln2[1]), correction);
  const Scalar value = e * format.ln2[0] - ((half - low) - f);
  return outside_positive(x, value, x, -kInfinity);
}

// (exp(2x) - 1) / (exp(2x) + 1), with exp(2x) - 1 accurate near 0.
Scalar tanh_body(Scalar x) {
  const Format& format = format_of(x);
  const double limit = format.tanh_limit;
  const Scalar bounded = max(constant(x, -limit), min(constant(x, limit), x));  // keeps NaN
  const Scalar doubled = bounded + bounded;
  const Scalar n = clamp(round(doubled * kLog2E), -4 * limit, 4 * limit);
  const Scalar power = scale2(constant(x, 1), n);
  const Scalar small = small_expm1(format, without_ln2(format, doubled, n));
  const Scalar expm1 = fma(small, power, power - 1.0);
  return expm1 / (expm1 + 2.0);
}

Scalar logistic_body(Scalar x) {
  return 1.0 / (exp_body(-x) + 1.0);
}

Scalar sin_body(Scalar x) {
  const Format& format = format_of(x);
  const auto [n, r] = quadrant(format, x);
  return sine(format, n, r);
}

Scalar cos_body(Scalar x) {
  const Format& format = format_of(x);
  const auto [n, r] = quadrant(format, x);
  return sine(format, n + 1.0, r);
}

Scalar pow_body(Scalar x, double p) {
  const Format& format = format_of(x);
  if (p == std::nearbyint(p) && std::fabs(p) < 0x1p31) {
    const Scalar power = whole_power(x, std::fabs(p));
    return p < 0 ? 1.0 / power : power;
  }
  // log2(x) = e + l is kept in two parts: p e is nearly exact, p l is small.
  const auto [e, f] = split(format, x);
  const auto [half, correction] = log_terms(format, f);
  const Scalar l = (f - (half - correction)) * kLog2E;
  const Scalar rounded = constant(x, p);
  const double rest = x.builder->dtype() == DType::f32 ? p - static_cast<float>(p) : 0.0;
  const Scalar small = fma(rounded, l, (e + l) * rest);
  const Scalar n =
      clamp(round(fma(rounded, e, small)), format.min_exponent - 1, format.max_exponent + 1);
  const Scalar r = fma(rounded, e, -n) + small;
  const Scalar value = fma(polynomial(format.exp2, r), r, constant(r, 1));
  const Scalar lowest = constant(x, format.min_exponent);
  const Scalar underflow = less(n, lowest) + equal(n, lowest) * less(value, constant(x, 1));
  const Scalar power = select(underflow, constant(x, 0), scale2(value, n));
  return outside_positive(x, power, p < 0 ? 1.0 / x : x, p < 0 ? kInfinity : 0.0);
}

}  // namespace outerloop
