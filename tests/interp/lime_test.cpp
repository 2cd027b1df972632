#include "outerloop/interp/lime.h"

#include <gtest/gtest.h>

#include "outerloop/base/error.h"

namespace outerloop::interp {
namespace {

using Numbers = std::vector<double>;

RidgeFit<double> fit(const Numbers& z, const Numbers& y, const Numbers& weights, double alpha) {
  return weighted_ridge<double>(z, y, weights, alpha);
}

TEST(WeightedRidge, OfOneColumnIsShrunkByAlpha) {
  // Centred: z = -1, 1; y = -2, 2. b = 4 / (2 + alpha).
  const auto result = fit({0, 2}, {1, 5}, {1, 1}, 2);
  EXPECT_DOUBLE_EQ(result.coefficients[0], 1);
  EXPECT_DOUBLE_EQ(result.intercept, 3 - 1);
  EXPECT_DOUBLE_EQ(result.weighted_r2, 1 - 2.0 / 8);
}

TEST(WeightedRidge, FindsALinearFunctionWithoutAlpha) {
  const Numbers z = {0, 0, 1, 0, 0, 1, 2, 3, -1, 2};
  Numbers y;
  for (size_t i = 0; i < 5; ++i) y.push_back(1 + 2 * z[2 * i] - 3 * z[2 * i + 1]);
  const auto result = fit(z, y, {1, 0.5, 2, 0.1, 3}, 0);
  EXPECT_NEAR(result.coefficients[0], 2, 1e-13);
  EXPECT_NEAR(result.coefficients[1], -3, 1e-13);
  EXPECT_NEAR(result.intercept, 1, 1e-13);
  EXPECT_NEAR(result.weighted_r2, 1, 1e-13);
}

TEST(WeightedRidge, CountsAWeightAsSoManyRows) {
  const auto weighted = fit({1, 2, 4}, {1, 0, 2}, {1, 1, 2}, 1);
  const auto repeated = fit({1, 2, 4, 4}, {1, 0, 2, 2}, {1, 1, 1, 1}, 1);
  EXPECT_NEAR(weighted.coefficients[0], repeated.coefficients[0], 1e-15);
  EXPECT_NEAR(weighted.intercept, repeated.intercept, 1e-15);
}

TEST(WeightedRidge, NeedsAlphaForDependentColumns) {
  const Numbers twice = {1, 1, 2, 2, 5, 5};
  EXPECT_THROW(fit(twice, {1, 2, 3}, {1, 1, 1}, 0), BadInput);
  const auto result = fit(twice, {1, 2, 3}, {1, 1, 1}, 1);
  EXPECT_NEAR(result.coefficients[0], result.coefficients[1], 1e-14);
}

TEST(WeightedRidge, RefusesWhatDoesNotFit) {
  EXPECT_THROW(fit({1, 2, 3}, {1, 2}, {1, 1}, 1), BadInput);
  EXPECT_THROW(fit({1, 2}, {1, 2}, {1}, 1), BadInput);
  EXPECT_THROW(fit({1, 2}, {1, 2}, {1, -1}, 1), BadInput);
  EXPECT_THROW(fit({1, 2}, {1, 2}, {0, 0}, 1), BadInput);
  EXPECT_THROW(fit({}, {}, {}, 1), BadInput);
}

}  // namespace
}  // namespace outerloop::interp
