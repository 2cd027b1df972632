#pragma once
// What a value per task says: the task is the unit of replication.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "outerloop/base/averages.h"

namespace outerloop::interp {

// Below which a share `at` of the values lies, between neighbours in a straight line (numpy's
// default, Hyndman and Fan's type 7). Throws BadInput without values or unless 0 <= at <= 1.
double quantile(std::span<const double> values, double at);

struct TaskSummary {
  static constexpr double kQuantiles[] = {0.05, 0.25, 0.5, 0.75, 0.95};

  MeanInterval interval;          // mean, sd between tasks, t-interval
  std::vector<double> quantiles;  // at kQuantiles
  double share_above_zero = 0;
  // Tasks that lose most, the greatest value first; ties in order of the tasks.
  std::vector<size_t> worst;
};

// One value per task. Throws BadInput without values.
TaskSummary summarise_tasks(std::span<const double> values, size_t worst = 5, double level = 0.95);

// Where the variance of a mean over tasks comes from, by one-way analysis of variance.
struct VarianceSplit {
  double between_tasks = 0;    // variance of the tasks' true values; 0 where the estimate is less
  double between_repeats = 0;  // of one repeat within a task
};

// values: (tasks, repeats), row-major. Throws BadInput unless there are two tasks and two repeats.
VarianceSplit split_variance(std::span<const double> values, size_t repeats);

}  // namespace outerloop::interp
