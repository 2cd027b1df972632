#include "outerloop/interp/fairness.h"

#include <gtest/gtest.h>

#include <cmath>

#include "outerloop/base/error.h"

namespace outerloop::interp {
namespace {

using Numbers = std::vector<double>;

// The example of the definition: two groups of four.
TEST(Fairness, ComparesRatesOfGroups) {
  const auto result = fairness(Numbers{1, 1, 0, 0, 1, 1, 0, 0}, Numbers{1, 0, 0, 0, 1, 1, 1, 0},
                               Numbers{0, 0, 0, 0, 1, 1, 1, 1});
  EXPECT_EQ(result.groups, (Numbers{0, 1}));
  EXPECT_EQ(result.selection_rate, (Numbers{0.25, 0.75}));
  EXPECT_EQ(result.true_positive_rate, (Numbers{0.5, 1}));
  EXPECT_EQ(result.false_positive_rate, (Numbers{0, 0.5}));
  EXPECT_EQ(result.parity_difference, 0.5);
  EXPECT_EQ(result.parity_ratio, 1.0 / 3);
  EXPECT_EQ(result.odds_difference, 0.5);
  EXPECT_EQ(result.odds_mean, 0.5);
  EXPECT_EQ(result.missing_rates, 0);
}

TEST(Fairness, CountsRatesThatNoRowDefines) {
  // Group 7 has no row of target 1.
  const auto result =
      fairness(Numbers{1, 0, 0, 0, 1}, Numbers{1, 1, 0, 1, 0}, Numbers{3, 3, 7, 7, 3});
  EXPECT_EQ(result.rows, (std::vector<int64_t>{3, 2}));
  EXPECT_EQ(result.missing_rates, 1);
  EXPECT_TRUE(std::isnan(result.true_positive_rate[1]));
  EXPECT_EQ(result.true_positive_difference, 0);
  EXPECT_EQ(result.false_positive_difference, 0.5);
}

TEST(Fairness, OfNothingSelectedHasNoRatio) {
  const auto result = fairness(Numbers{0, 0}, Numbers{0, 0}, Numbers{1, 2});
  EXPECT_TRUE(std::isnan(result.parity_ratio));
  EXPECT_TRUE(std::isnan(result.true_positive_difference));
  EXPECT_TRUE(std::isnan(result.odds_difference));
  EXPECT_EQ(result.parity_difference, 0);
}

TEST(Fairness, RefusesWhatIsNotBinaryOrDoesNotFit) {
  EXPECT_THROW(fairness(Numbers{2}, Numbers{0}, Numbers{0}), BadInput);
  EXPECT_THROW(fairness(Numbers{1}, Numbers{0.5}, Numbers{0}), BadInput);
  EXPECT_THROW(fairness(Numbers{1}, Numbers{1}, Numbers{0, 1}), BadInput);
  EXPECT_THROW(fairness(Numbers{}, Numbers{}, Numbers{}), BadInput);
}

}  // namespace
}  // namespace outerloop::interp
