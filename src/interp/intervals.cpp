// Intervals and tails of values over tasks.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "interp/pairwise_sum.h"
#include "outerloop/base/error.h"
#include "outerloop/base/philox.h"
#include "outerloop/base/student_t.h"
#include "outerloop/interp/statistics.h"

namespace outerloop::interp {

MeanInterval mean_interval(std::span<const double> values, double level) {
  if (values.empty() || !(level > 0 && level < 1)) {
    throw BadInput(fmt::format("an interval needs values and a level in (0, 1), got {} values, {}",
                               values.size(), level));
  }
  const auto n = static_cast<double>(values.size());
  MeanInterval result;
  result.mean = mean_of(values);
  std::vector<double> squares;
  for (const double value : values) {
    squares.push_back((value - result.mean) * (value - result.mean));
  }
  const double p = (1 + level) / 2;
  result.deviation = std::sqrt(pairwise_sum(squares) / (n - 1));
  result.error = result.deviation / std::sqrt(n);
  result.quantile = values.size() < 2
                        ? std::numeric_limits<double>::quiet_NaN()
                        : student_t_quantile(p, static_cast<int64_t>(values.size()) - 1);
  result.half = result.quantile * result.error;
  result.lower = result.mean - result.half;
  result.upper = result.mean + result.half;
  result.normal_half = normal_quantile(p) * result.error;
  return result;
}

double conditional_value_at_risk(std::span<const double> losses, double share) {
  if (losses.empty() || !(share > 0 && share <= 1)) {
    throw BadInput(fmt::format(
        "the worst share of losses needs losses and a share in (0, 1], got {} losses, {}",
        losses.size(), share));
  }
  std::vector<double> sorted(losses.begin(), losses.end());
  std::ranges::sort(sorted, std::greater());
  const double count = share * static_cast<double>(losses.size());
  const auto whole = static_cast<size_t>(count);
  std::vector<double> worst(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(whole));
  if (whole < sorted.size()) worst.push_back((count - std::floor(count)) * sorted[whole]);
  return pairwise_sum(worst) / count;
}

}  // namespace outerloop::interp
