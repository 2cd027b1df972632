#include "outerloop/interp/risk_coverage.h"

#include <gtest/gtest.h>

#include <vector>

#include "outerloop/base/error.h"

namespace outerloop::interp {
namespace {

using Numbers = std::vector<double>;

TEST(RiskCoverage, AveragesTheErrorsOfTheMostConfident) {
  const auto result = risk_coverage(Numbers{0.6, 0.9, 0.7, 0.8}, Numbers{1, 1, 0, 1});
  EXPECT_DOUBLE_EQ(result.area, (1.0 / 3 + 0.25) / 4);
  EXPECT_DOUBLE_EQ(result.oracle, 0.25 / 4);
  EXPECT_DOUBLE_EQ(result.excess, result.area - result.oracle);
}

TEST(RiskCoverage, TakesTheExpectationOverTiedRows) {
  // Both orders of two tied rows, one wrong: risks (1, 1/2) or (0, 1/2).
  const auto result = risk_coverage(Numbers{0.5, 0.5}, Numbers{0, 1});
  EXPECT_DOUBLE_EQ(result.area, 0.5);
  EXPECT_DOUBLE_EQ(result.area_stable, 0.75);
}

TEST(RiskCoverage, HasNoExcessForARightOrder) {
  const auto right = risk_coverage(Numbers{0.9, 0.8, 0.1}, Numbers{1, 1, 0});
  EXPECT_EQ(right.excess, 0);
  const auto all_right = risk_coverage(Numbers{0.9, 0.8}, Numbers{1, 1});
  EXPECT_EQ(all_right.area, 0);
  EXPECT_EQ(all_right.excess_log, 0);
  const auto all_wrong = risk_coverage(Numbers{0.9, 0.8}, Numbers{0, 0});
  EXPECT_EQ(all_wrong.area, 1);
  EXPECT_EQ(all_wrong.excess_log, 0);
}

TEST(RiskCoverage, RefusesWhatDoesNotFit) {
  EXPECT_THROW(risk_coverage(Numbers{}, Numbers{}), BadInput);
  EXPECT_THROW(risk_coverage(Numbers{0.5}, Numbers{1, 0}), BadInput);
}

}  // namespace
}  // namespace outerloop::interp
