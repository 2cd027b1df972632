#pragma once
// Random numbers from the words of a stream (philox.h), as the host and devices draw them alike.
//
// A Dealer has next(), the stream's next word. A device has several threads for one stream: all
// call the same functions in step and get the same numbers. They tell themselves apart by index(),
// 0 … count() - 1; meet() waits for all of them, any(x) too and tells whether x holds for one.

#include "outerloop/base/host_device.h"

namespace outerloop::draws {

// A dealer's part where it is alone.
struct Alone {
  OL_BOTH static unsigned index() { return 0; }
  OL_BOTH static unsigned count() { return 1; }
  OL_BOTH static void meet() {}
  OL_BOTH static bool any(bool x) { return x; }
};

// f(0) … f(count - 1), dealt to the threads: f(i) belongs to thread i % count().
template <class Dealer, class Function>
OL_BOTH void each(const Dealer& dealer, unsigned count, Function f) {
  for (unsigned i = dealer.index(); i < count; i += dealer.count()) f(i);
}

// [0, 1): a multiple of 2^-24.
OL_BOTH float uniform(unsigned word) {
  return static_cast<float>(static_cast<int>(word >> 8)) * 0x1p-24F;
}
OL_BOTH float uniform(unsigned word, float low, float high) {
  return low + (high - low) * uniform(word);
}
// (0, 1): 52 bits, and half a step to stay off 0.
OL_BOTH double uniform_double(unsigned high, unsigned low) {
  const unsigned long long bits = (static_cast<unsigned long long>(high) << 32 | low) >> 12;
  return static_cast<double>(2 * bits + 1) * 0x1p-53;
}

// 0 … bound - 1, unbiased (Lemire, "Fast random integer generation in an interval", 2019).
template <class Dealer>
OL_BOTH unsigned below(Dealer& dealer, unsigned bound) {
  unsigned long long product = static_cast<unsigned long long>(dealer.next()) * bound;
  if (static_cast<unsigned>(product) < bound) {
    const unsigned threshold = (0U - bound) % bound;
    while (static_cast<unsigned>(product) < threshold) {
      product = static_cast<unsigned long long>(dealer.next()) * bound;
    }
  }
  return static_cast<unsigned>(product >> 32);
}

// k different numbers of 0 … n - 1 in random order: Floyd's algorithm, then Fisher and Yates's. All
// threads see them.
template <class Dealer, class Number>
OL_BOTH void choose(Dealer& dealer, unsigned n, Number* chosen, unsigned k) {
  for (unsigned i = 0; i < k; ++i) {
    const unsigned last = n - k + i;
    const auto candidate = static_cast<Number>(below(dealer, last + 1));
    bool is_taken = false;
    each(dealer, i, [&](unsigned j) { is_taken |= chosen[j] == candidate; });
    is_taken = dealer.any(is_taken);
    if (i % dealer.count() == dealer.index()) {
      chosen[i] = is_taken ? static_cast<Number>(last) : candidate;
    }
  }
  dealer.meet();
  for (unsigned left = k; left > 1; --left) {
    const unsigned other = below(dealer, left);
    if (dealer.index() != 0) continue;
    const Number kept = chosen[left - 1];
    chosen[left - 1] = chosen[other];
    chosen[other] = kept;
  }
  dealer.meet();
}

// The first coefficient is the constant term.
OL_BOTH double polynomial(double, double last) {
  return last;
}
template <class... Higher>
OL_BOTH double polynomial(double x, double first, Higher... higher) {
  return polynomial(x, higher...) * x + first;
}

// Natural logarithm of x in (0, 1) from correctly rounded operations only (plain products and sums:
// a fused step would be a library call where the build targets no FMA), so that it has the same
// bits everywhere: log(2^e m) = e log 2 + 2 atanh((m - 1) / (m + 1)) with m in [sqrt 1/2, sqrt 2).
OL_BOTH double ordered_log(double x) {
  int exponent = 0;
  if (x < 0x1p-1022) {
    x *= 0x1p54;
    exponent = -54;
  }
  const unsigned long long bits = ol::bits_of(x);
  exponent += static_cast<int>(bits >> 52) - 1022;
  double mantissa = ol::bits_f64((bits & 0x000FFFFFFFFFFFFFULL) | 0x3FE0000000000000ULL);
  if (mantissa < 0.70710678118654752440) {
    mantissa *= 2;
    --exponent;
  }
  const double s = (mantissa - 1) / (mantissa + 1);
  const double square = s * s;
  const double series = polynomial(square, 1.0, 1.0 / 3, 1.0 / 5, 1.0 / 7, 1.0 / 9, 1.0 / 11,
                                   1.0 / 13, 1.0 / 15, 1.0 / 17, 1.0 / 19, 1.0 / 21, 1.0 / 23);
  return exponent * 0.69314718055994530942 + 2 * s * series;
}

// The value below which a standard normal falls with probability p. AS 241, PPND16 (Wichura 1988):
// rational approximations in the centre and in two tails.
OL_BOTH double normal_quantile(double p) {
  const double q = p - 0.5;
  if (ol::abs(q) <= 0.425) {
    const double r = 0.180625 - q * q;
    return q *
           polynomial(r, 3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3,
                      1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4,
                      3.3430575583588128105e4, 2.5090809287301226727e3) /
           polynomial(r, 1.0, 4.2313330701600911252e1, 6.8718700749205790830e2,
                      5.3941960214247511077e3, 2.1213794301586595867e4, 3.9307895800092710610e4,
                      2.8729085735721942674e4, 5.2264952788528545610e3);
  }
  const double root = ol::sqrt(-ordered_log(q < 0 ? p : 1 - p));
  double value = 0;
  if (root <= 5) {
    const double r = root - 1.6;
    value =
        polynomial(r, 1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0,
                   3.64784832476320460504e0, 1.27045825245236838258e0, 2.41780725177450611770e-1,
                   2.27238449892691845833e-2, 7.74545014278341407640e-4) /
        polynomial(r, 1.0, 2.05319162663775882187e0, 1.67638483018380384940e0,
                   6.89767334985100004550e-1, 1.48103976427480074590e-1, 1.51986665636164571966e-2,
                   5.47593808499534494600e-4, 1.05075007164441684324e-9);
  } else {
    const double r = root - 5;
    value =
        polynomial(r, 6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0,
                   2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                   2.71155556874348757815e-5, 2.01033439929228813265e-7) /
        polynomial(r, 1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1,
                   1.48753612908506148525e-2, 7.86869131145613259100e-4, 1.84631831751005468180e-5,
                   1.42151175831644588870e-7, 2.04426310338993978564e-15);
  }
  return q < 0 ? -value : value;
}

// Standard normal by inversion; takes two words.
template <class Dealer>
OL_BOTH double normal(Dealer& dealer) {
  const unsigned high = dealer.next();
  return normal_quantile(uniform_double(high, dealer.next()));
}

}  // namespace outerloop::draws
