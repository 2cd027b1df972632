#include "outerloop/base/student_t.h"

#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "outerloop/base/error.h"
#include "outerloop/base/philox.h"

namespace outerloop {
namespace {

// Probability that |t| <= value; `freedom` terms, so for few degrees. A&S 26.7.3 (odd), 26.7.4.
double student_t_central(double value, int64_t freedom) {
  const auto n = static_cast<double>(freedom);
  const double root = std::sqrt(n + value * value);
  const double sine = value / root;
  const double cosine = std::sqrt(n) / root;
  const bool odd = freedom % 2 == 1;
  double term = odd ? cosine : 1;
  double sum = freedom == 1 ? 0 : term;
  for (int64_t k = odd ? 3 : 2; k < freedom; k += 2) {
    term *= cosine * cosine * static_cast<double>(k - 1) / static_cast<double>(k);
    sum += term;
  }
  if (!odd) return sine * sum;
  return 2 / std::numbers::pi * (std::atan(value / std::sqrt(n)) + sine * sum);
}

// The expansion around the normal quantile z in powers of 1 / freedom. A&S 26.7.5.
double student_t_expansion(double z, int64_t freedom) {
  const auto n = static_cast<double>(freedom);
  const double s = z * z;
  const double g1 = (s + 1) * z / 4;
  const double g2 = ((5 * s + 16) * s + 3) * z / 96;
  const double g3 = (((3 * s + 19) * s + 17) * s - 15) * z / 384;
  const double g4 = ((((79 * s + 776) * s + 1482) * s - 1920) * s - 945) * z / 92160;
  return z + (g1 + (g2 + (g3 + g4 / n) / n) / n) / n;
}

}  // namespace

double student_t_quantile(double p, int64_t freedom) {
  if (!(p > 0 && p < 1) || freedom < 1) {
    throw BadInput(
        fmt::format("a quantile of Student's t needs 0 < p < 1 and a degree of freedom, "
                    "got p = {}, {} degrees",
                    p, freedom));
  }
  constexpr int64_t kFewDegrees = 2000;
  if (p < 0.5) return -student_t_quantile(1 - p, freedom);
  if (freedom > kFewDegrees) return student_t_expansion(normal_quantile(p), freedom);
  const double central = 2 * p - 1;
  double low = 0;
  double high = 1;
  while (student_t_central(high, freedom) < central && high < 1e300) high *= 2;
  while (true) {
    const double middle = (low + high) / 2;
    if (!(middle > low && middle < high)) return middle;
    (student_t_central(middle, freedom) < central ? low : high) = middle;
  }
}

}  // namespace outerloop
