#include "outerloop/base/averages.h"

#include <gtest/gtest.h>

#include <cmath>

#include "outerloop/base/error.h"

namespace outerloop {
namespace {

TEST(MeanInterval, IsTheTextbookOne) {
  const auto interval = mean_interval(std::vector<double>{1, 2, 3, 4});
  EXPECT_EQ(interval.mean, 2.5);
  EXPECT_DOUBLE_EQ(interval.deviation, std::sqrt(5.0 / 3));
  EXPECT_DOUBLE_EQ(interval.error, std::sqrt(5.0 / 3) / 2);
  EXPECT_DOUBLE_EQ(interval.half, 3.1824463052837086 * interval.error);
  EXPECT_DOUBLE_EQ(interval.upper - interval.lower, 2 * interval.half);
  EXPECT_DOUBLE_EQ(interval.normal_half, 1.959963984540054 * interval.error);
}

TEST(MeanInterval, OfOneValueIsUnknown) {
  const auto interval = mean_interval(std::vector<double>{3});
  EXPECT_EQ(interval.mean, 3);
  EXPECT_TRUE(std::isnan(interval.half));
  EXPECT_THROW(mean_interval(std::vector<double>{}), BadInput);
}

TEST(Median, IsTheMiddleOne) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({7}), 7);
}

TEST(Median, OfAnEvenCountIsTheMeanOfTheMiddleTwo) {
  EXPECT_EQ(median({4, 1, 3, 2}), 2.5);
  EXPECT_EQ(median({1, INFINITY}), INFINITY);
}

TEST(Median, OfNoValuesIsUnknown) {
  EXPECT_TRUE(std::isnan(median({})));
}

}  // namespace
}  // namespace outerloop
