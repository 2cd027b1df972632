#include "outerloop/interp/linear_tasks.h"

#include <gtest/gtest.h>

#include "outerloop/base/error.h"
#include "outerloop/base/philox.h"
#include "outerloop/interp/lime.h"

namespace outerloop::interp {
namespace {

// y = a + b x + noise; a ~ N(1, .25), b ~ N(-2, 1), noise of deviation .5.
std::vector<TaskRows> simulated(size_t tasks, size_t rows) {
  std::vector<TaskRows> result;
  for (size_t t = 0; t < tasks; ++t) {
    Philox random({.seed = 5, .iteration = t, .slot = 0});
    const double a = 1 + 0.5 * random.normal();
    const double b = -2 + random.normal();
    TaskRows& task = result.emplace_back(TaskRows{.columns = 1, .x = {}, .y = {}});
    for (size_t r = 0; r < rows; ++r) {
      task.x.push_back(random.normal());
      task.y.push_back(a + b * task.x.back() + 0.5 * random.normal());
    }
  }
  return result;
}

TEST(LinearTasks, TheMeanSquaredErrorIsOfAllRows) {
  const TaskRows rows{.columns = 2, .x = {1, 2, 3, 4}, .y = {0, 10}};
  EXPECT_DOUBLE_EQ(mean_squared_error({1, 1, 1}, rows), (16.0 + 4.0) / 2);
}

TEST(LinearTasks, RidgeOfManyTasksIsThatOfTheirRowsTogether) {
  const std::vector<TaskRows> tasks = simulated(3, 5);
  std::vector<double> x;
  std::vector<double> y;
  for (const TaskRows& task : tasks) {
    x.insert(x.end(), task.x.begin(), task.x.end());
    y.insert(y.end(), task.y.begin(), task.y.end());
  }
  const std::vector<double> ones(y.size(), 1.0);
  const RidgeFit<double> expected = weighted_ridge<double>(x, y, ones, 0.7);
  const LinearWeights weights = fit_ridge(tasks, 0.7);
  EXPECT_NEAR(weights[0], expected.intercept, 1e-12);
  EXPECT_NEAR(weights[1], expected.coefficients[0], 1e-12);
}

TEST(LinearTasks, AColumnOfZerosGetsWeightZero) {
  const TaskRows rows{.columns = 2, .x = {0, 1, 0, 2}, .y = {1, 2}};
  const LinearWeights weights = fit_ridge({&rows, 1}, 1e-9);
  EXPECT_EQ(weights[1], 0);
  EXPECT_NEAR(weights[2], 1, 1e-6);
}

TEST(LinearTasks, RidgeWithoutStrengthIsRefused) {
  const std::vector<TaskRows> tasks = simulated(1, 3);
  EXPECT_THROW(fit_ridge(tasks, 0), BadInput);
  EXPECT_THROW(fit_ridge({}, 1), BadInput);
}

// With a constant alone: the mean of the support, pulled to the prior's by noise / variance rows.
TEST(LinearTasks, ThePosteriorShrinksToThePrior) {
  const LinearPrior prior{.mean = {4}, .covariance = {0.5}, .noise = 1.5};
  const TaskRows support{.columns = 0, .x = {}, .y = {1, 2}};
  EXPECT_NEAR(posterior_mean(prior, support)[0], (1 + 2 + 3 * 4.0) / (2 + 3), 1e-12);
}

TEST(LinearTasks, ThePriorOfSimulatedTasksIsFound) {
  const LinearPrior prior = fit_linear_prior(simulated(4000, 6), 1e-6, 500);
  EXPECT_NEAR(prior.mean[0], 1, 0.05);
  EXPECT_NEAR(prior.mean[1], -2, 0.08);
  EXPECT_NEAR(prior.covariance[0], 0.25, 0.04);
  EXPECT_NEAR(prior.covariance[1], 0, 0.05);
  EXPECT_NEAR(prior.covariance[3], 1, 0.1);
  EXPECT_NEAR(prior.noise, 0.25, 0.02);
}

// The mean of the true prior's posterior is the best answer: nothing else comes below.
TEST(LinearTasks, TheHierarchicalModelBeatsRidgeAndPooling) {
  const std::vector<TaskRows> tasks = simulated(500, 20);
  const LinearPrior prior = fit_linear_prior(tasks);
  const LinearWeights pooled = fit_ridge(tasks, 1);
  double hierarchical = 0, ridge = 0, together = 0;
  for (const TaskRows& task : tasks) {
    const TaskRows support{.columns = 1,
                           .x = {task.x.begin(), task.x.begin() + 3},
                           .y = {task.y.begin(), task.y.begin() + 3}};
    const TaskRows query{.columns = 1,
                         .x = {task.x.begin() + 3, task.x.end()},
                         .y = {task.y.begin() + 3, task.y.end()}};
    hierarchical += mean_squared_error(posterior_mean(prior, support), query);
    ridge += mean_squared_error(fit_ridge({&support, 1}, 0.3), query);
    together += mean_squared_error(pooled, query);
  }
  EXPECT_LT(hierarchical, 0.8 * ridge);
  EXPECT_LT(hierarchical, 0.5 * together);
}

}  // namespace
}  // namespace outerloop::interp
