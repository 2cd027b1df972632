#include "outerloop/interp/task_summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "outerloop/base/error.h"
#include "outerloop/base/pairwise_sum.h"

namespace outerloop::interp {

double quantile(std::span<const double> values, double at) {
  if (values.empty() || !(at >= 0 && at <= 1)) {
    throw BadInput(fmt::format("a quantile needs values and a share in [0, 1], got {} values, {}",
                               values.size(), at));
  }
  std::vector<double> sorted(values.begin(), values.end());
  std::ranges::sort(sorted);
  const double place = at * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - std::floor(place)) * (sorted[above] - sorted[below]);
}

TaskSummary summarise_tasks(std::span<const double> values, size_t worst, double level) {
  TaskSummary summary{.interval = mean_interval(values, level)};
  for (const double at : TaskSummary::kQuantiles) summary.quantiles.push_back(quantile(values, at));
  const auto above = std::ranges::count_if(values, [](double value) { return value > 0; });
  summary.share_above_zero = static_cast<double>(above) / static_cast<double>(values.size());
  summary.worst.resize(values.size());
  std::iota(summary.worst.begin(), summary.worst.end(), 0);
  std::ranges::stable_sort(summary.worst, std::greater(),
                           [&](size_t task) { return values[task]; });
  summary.worst.resize(std::min(worst, values.size()));
  return summary;
}

VarianceSplit split_variance(std::span<const double> values, size_t repeats) {
  const size_t tasks = repeats == 0 ? 0 : values.size() / repeats;
  if (repeats < 2 || tasks < 2 || tasks * repeats != values.size()) {
    throw BadInput(fmt::format(
        "a split of variance needs two tasks and two repeats of each, got {} values, {} repeats",
        values.size(), repeats));
  }
  const auto squares_around = [](std::span<const double> all, double centre) {
    std::vector<double> squares;
    for (const double value : all) squares.push_back((value - centre) * (value - centre));
    return pairwise_sum(squares);
  };
  std::vector<double> means;
  std::vector<double> within;
  for (size_t t = 0; t < tasks; ++t) {
    const auto task = values.subspan(t * repeats, repeats);
    means.push_back(mean_of(task));
    within.push_back(squares_around(task, means.back()) / static_cast<double>(repeats - 1));
  }
  VarianceSplit split{.between_repeats = mean_of(within)};
  const double of_means = squares_around(means, mean_of(means)) / static_cast<double>(tasks - 1);
  split.between_tasks =
      std::max(0.0, of_means - split.between_repeats / static_cast<double>(repeats));
  return split;
}

}  // namespace outerloop::interp
