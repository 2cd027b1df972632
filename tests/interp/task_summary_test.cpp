#include "outerloop/interp/task_summary.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "outerloop/base/error.h"

namespace outerloop::interp {
namespace {

using Numbers = std::vector<double>;

// numpy.quantile of the same values.
TEST(Quantile, IsThatOfNumpy) {
  const Numbers values = {3, 1, 4, 1, 5, 9, 2, 6};
  EXPECT_DOUBLE_EQ(quantile(values, 0), 1);
  EXPECT_DOUBLE_EQ(quantile(values, 0.05), 1);
  EXPECT_DOUBLE_EQ(quantile(values, 0.25), 1.75);
  EXPECT_DOUBLE_EQ(quantile(values, 0.5), 3.5);
  EXPECT_DOUBLE_EQ(quantile(values, 0.95), 7.95);
  EXPECT_DOUBLE_EQ(quantile(values, 1), 9);
  EXPECT_DOUBLE_EQ(quantile(Numbers{7}, 0.3), 7);
  EXPECT_THROW(quantile({}, 0.5), BadInput);
  EXPECT_THROW(quantile(values, 1.1), BadInput);
}

TEST(TaskSummary, SaysWhatTasksSay) {
  const TaskSummary summary = summarise_tasks(Numbers{0.5, -1, 2, 0, 2, 0.25}, 3);
  EXPECT_DOUBLE_EQ(summary.interval.mean, 0.625);
  EXPECT_DOUBLE_EQ(summary.share_above_zero, 4.0 / 6);  // 0 is not above 0
  EXPECT_EQ(summary.worst, (std::vector<size_t>{2, 4, 0}));
  EXPECT_DOUBLE_EQ(summary.quantiles[2], 0.375);
  EXPECT_EQ(summarise_tasks(Numbers{1}).worst.size(), 1u);
  EXPECT_THROW(summarise_tasks({}), BadInput);
}

TEST(VarianceSplit, IsTheTextbookAnalysis) {
  // Means 1.5, 4, 9.5; squares within 0.5, 2, 0.5; variance of means 16.75.
  const VarianceSplit split = split_variance(Numbers{1, 2, 3, 5, 9, 10}, 2);
  EXPECT_DOUBLE_EQ(split.between_repeats, 1);
  EXPECT_DOUBLE_EQ(split.between_tasks, 16.75 - 0.5);
}

TEST(VarianceSplit, FindsWhatValuesWereMadeOf) {
  std::mt19937 generator(3);
  std::normal_distribution<double> normal;
  Numbers values;
  for (int task = 0; task < 20000; ++task) {
    const double own = 0.5 * normal(generator);
    for (int repeat = 0; repeat < 3; ++repeat) values.push_back(own + 2 * normal(generator));
  }
  const VarianceSplit split = split_variance(values, 3);
  EXPECT_NEAR(split.between_repeats, 4, 0.1);
  EXPECT_NEAR(split.between_tasks, 0.25, 0.06);
}

TEST(VarianceSplit, OfEqualTasksIsNotNegative) {
  EXPECT_EQ(split_variance(Numbers{1, 3, 3, 1}, 2).between_tasks, 0);
  EXPECT_THROW(split_variance(Numbers{1, 2, 3, 4}, 1), BadInput);
  EXPECT_THROW(split_variance(Numbers{1, 2}, 2), BadInput);
  EXPECT_THROW(split_variance(Numbers{1, 2, 3, 4, 5}, 2), BadInput);
}

}  // namespace
}  // namespace outerloop::interp
