#pragma once
// Random scalar bodies that keep to the contract of every operation, and inputs for them.

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "outerloop/ir/scalar.h"

namespace outerloop::exec::testing {

// Even inputs are wild (any bits), odd ones tame: normal, of moderate size. Operations that ask for
// normal numbers or small integers get them from tame inputs.
class BodyGenerator {
 public:
  BodyGenerator(DType dtype, int inputs, unsigned seed)
      : builder_(dtype, inputs), inputs_(inputs), random_(seed) {}

  ScalarBody generate(int operations, int outputs) {
    for (int i = 0; i < inputs_; ++i) values_.push_back(builder_.input(i));
    if (values_.empty()) values_.push_back(builder_.constant(0.75));
    for (int i = 0; i < operations; ++i) values_.push_back(operation());
    std::vector<Scalar> results;
    // The last values, and now and then an early one or an input.
    for (int i = 0; i < outputs; ++i) {
      const size_t last = values_.size() - 1 - static_cast<size_t>(i) % values_.size();
      results.push_back(pick(8) == 0 ? any() : values_[last]);
    }
    return builder_.finish(results);
  }

 private:
  uint32_t pick(uint32_t count) { return static_cast<uint32_t>(random_() % count); }

  Scalar any() {
    constexpr std::array kConstants{0.0, -0.0, 1.0, -1.5, 3.0, 0.1, 1e30, -1e-30};
    if (pick(6) == 0) return builder_.constant(kConstants[pick(kConstants.size())]);
    // Mostly recent values, so that bodies become deep; sometimes very early ones: long lives.
    const auto size = static_cast<uint32_t>(values_.size());
    const uint32_t reach = pick(3) == 0 ? size : std::min(size, 6u);
    return values_[size - 1 - pick(reach)];
  }

  Scalar tame() {
    if (inputs_ < 2) return builder_.constant(-1.25);
    return builder_.input(static_cast<int>(2 * pick(static_cast<uint32_t>(inputs_ / 2)) + 1));
  }

  Scalar operation() {
    switch (pick(20)) {
      case 0:
        return any() - any();
      case 1:
        return any() / any();
      case 2:
        return sqrt(any());
      case 3:
        return -any();
      case 4:
        return abs(any());
      case 5:
        return min(any(), any());
      case 6:
        return max(any(), any());
      case 7:
        return round(any());
      case 8:
        return less(any(), any());
      case 9:
        return less_equal(any(), any());
      case 10:
        return select(less(any(), any()), any(), any());
      case 11:
        return select(less_equal(any(), any()), any(), builder_.constant(0.0));
      case 12:
        return select(equal(any(), any()), builder_.constant(0.0), any());
      case 13:
        return select(any(), any(), any());
      case 14:
        return scale2(tame(), round(tame() * 9.0));
      case 15:
        return scale2(mantissa(tame()), exponent(tame()));
      case 16:
        return any() * any();
      case 17:
        return any() + any();
      default:
        return fma(any(), any(), any());
    }
  }

  ScalarBuilder builder_;
  int inputs_;
  std::mt19937 random_;
  std::vector<Scalar> values_;
};

// Wild elements hold every kind of special number.
template <class T>
void fill_wild_and_tame(std::vector<T>& elements, size_t operand, std::mt19937& random) {
  using Limits = std::numeric_limits<T>;
  const std::array<T, 12> special{T(0),
                                  T(-0.0),
                                  Limits::infinity(),
                                  -Limits::infinity(),
                                  Limits::quiet_NaN(),
                                  Limits::denorm_min(),
                                  -Limits::min() / 3,
                                  Limits::max(),
                                  Limits::lowest(),
                                  Limits::min(),
                                  T(1),
                                  T(2.5)};
  std::uniform_real_distribution<double> uniform(-4, 4);
  for (T& element : elements) {
    const double value = uniform(random);
    element = static_cast<T>(std::copysign(std::fabs(value) + 0.001, value));
    if (operand % 2 == 0 && random() % 4 == 0) element = special[random() % special.size()];
  }
}

}  // namespace outerloop::exec::testing
