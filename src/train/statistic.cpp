#include "outerloop/train/statistic.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "outerloop/base/averages.h"
#include "outerloop/base/student_t.h"

namespace outerloop::train {
namespace {

size_t count_of_tasks(size_t draws, int64_t distinct) {
  return distinct > 0 ? std::min(static_cast<size_t>(distinct), draws) : draws;
}

}  // namespace

std::vector<double> means_of_tasks(std::span<const float> values, std::span<const uint8_t> left_out,
                                   int64_t distinct) {
  const size_t tasks = count_of_tasks(values.size(), distinct);
  std::vector<double> means;
  for (size_t task = 0; task < tasks; ++task) {
    double sum = 0;
    int draws = 0;
    for (size_t i = task; i < values.size(); i += tasks) {
      if (left_out[i] != 0) continue;
      sum += static_cast<double>(values[i]);
      ++draws;
    }
    if (draws > 0) means.push_back(sum / draws);
  }
  return means;
}

// By plain sums in the order of the tasks: the pairwise ones of mean_interval() would change the
// last bits of results that are stored.
Statistic statistic(std::span<const float> values, std::span<const uint8_t> left_out,
                    int64_t distinct) {
  const std::vector<double> means = means_of_tasks(values, left_out, distinct);
  constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
  const auto n = static_cast<double>(means.size());
  Statistic result{.mean = kUnknown, .ci95 = kUnknown, .tasks = std::ssize(means)};
  if (!means.empty()) result.mean = std::accumulate(means.begin(), means.end(), 0.0) / n;
  if (means.size() > 1) {
    double squares = 0;
    for (const double mean : means) squares += std::pow(mean - result.mean, 2);
    result.ci95 = student_t_quantile(0.975, result.tasks - 1) * std::sqrt(squares / (n - 1) / n);
  }
  std::vector<double> all = means;
  all.resize(count_of_tasks(values.size(), distinct), std::numeric_limits<double>::infinity());
  result.median = median(std::move(all));
  return result;
}

}  // namespace outerloop::train
