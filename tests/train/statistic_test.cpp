#include "outerloop/train/statistic.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace outerloop::train {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// By hand: Student's t of three degrees is 3.1824463052837086, of one 12.706204736174694.
TEST(Statistic, IsOverDrawsThatAreTasksOfTheirOwn) {
  const Statistic s = statistic(std::vector<float>{1, 2, 3, 4}, std::vector<uint8_t>(4), 0);
  EXPECT_EQ(2.5, s.mean);
  EXPECT_NEAR(3.1824463052837086 * std::sqrt(5.0 / 12), s.ci95, 1e-14);
  EXPECT_EQ(2.5, s.median);
  EXPECT_EQ(4, s.tasks);
}

// The same four numbers as two draws of each of two tasks: 1 and 3, 2 and 4.
TEST(Statistic, CountsATaskOnceHoweverOftenItWasDrawn) {
  const Statistic s = statistic(std::vector<float>{1, 2, 3, 4}, std::vector<uint8_t>(4), 2);
  EXPECT_EQ(2.5, s.mean);
  EXPECT_NEAR(12.706204736174694 * std::sqrt(0.5 / 2), s.ci95, 1e-14);
  EXPECT_EQ(2, s.tasks);
}

// The draws of three tasks are 0 1 9, 8 2 2 and 3 3; over all of them the median would be 2.5.
TEST(Statistic, TheMedianCountsATaskOnceToo) {
  const std::vector<float> values{0, 8, 3, 1, 2, 3, 9, 2};
  EXPECT_EQ(10.0 / 3, statistic(values, std::vector<uint8_t>(8), 3).median);
}

TEST(Statistic, LeavesOutDrawsAndTasksWithoutOthers) {
  const std::vector<float> values{1, kInfinity, 5, 3, kInfinity, 7};
  const std::vector<uint8_t> diverged{0, 1, 0, 0, 1, 0};
  EXPECT_EQ((std::vector<double>{2, 6}), means_of_tasks(values, diverged, 3));
  const Statistic s = statistic(values, diverged, 3);
  EXPECT_EQ(4, s.mean);
  EXPECT_EQ(2, s.tasks);
  EXPECT_EQ(6, s.median);  // 2 6 and one that diverged
}

TEST(Statistic, SaysThatItDoesNotKnow) {
  const Statistic none = statistic({}, {}, 0);
  EXPECT_TRUE(std::isnan(none.mean) && std::isnan(none.ci95) && std::isnan(none.median));
  const Statistic one = statistic(std::vector<float>{2, 4, 6}, std::vector<uint8_t>(3), 1);
  EXPECT_EQ(4, one.mean);
  EXPECT_TRUE(std::isnan(one.ci95));
}

}  // namespace
}  // namespace outerloop::train
