#pragma once
// Linear models of the rows of one task, and of many: what a meta-learner must beat.

#include <cstddef>
#include <span>
#include <vector>

namespace outerloop::interp {

// Rows of one task, or of a part of it.
struct TaskRows {
  size_t columns = 0;
  std::vector<double> x;  // (row, column)
  std::vector<double> y;  // (row,)
};

// A constant, then a weight per column.
using LinearWeights = std::vector<double>;

double mean_squared_error(const LinearWeights& weights, const TaskRows& rows);

// Minimises |y - b0 - x b|^2 + strength |b|^2 over all rows together, b0 free. strength > 0.
LinearWeights fit_ridge(std::span<const TaskRows> tasks, double strength);

// Each task's weights are drawn from N(mean, covariance), each target from N(its line, noise).
struct LinearPrior {
  LinearWeights mean;
  std::vector<double> covariance;  // (weights, weights)
  double noise = 1;                // variance
};

// By expectation maximisation over the tasks' rows: until noise and the trace of the covariance
// change by less than `tolerance` of themselves, at most `most_rounds` times.
LinearPrior fit_linear_prior(std::span<const TaskRows> tasks, double tolerance = 1e-3,
                             int most_rounds = 200);

// Of the task's weights, given some of its rows.
LinearWeights posterior_mean(const LinearPrior& prior, const TaskRows& support);

}  // namespace outerloop::interp
