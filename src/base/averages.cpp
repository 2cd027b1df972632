#include "outerloop/base/averages.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "outerloop/base/error.h"
#include "outerloop/base/pairwise_sum.h"
#include "outerloop/base/philox.h"
#include "outerloop/base/student_t.h"

namespace outerloop {

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

double median(std::vector<double> values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::ranges::sort(values);
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

}  // namespace outerloop
