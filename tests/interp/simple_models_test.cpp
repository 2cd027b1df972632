#include "outerloop/interp/simple_models.h"

#include <gtest/gtest.h>

#include <cmath>

#include "outerloop/base/error.h"

namespace outerloop::interp {
namespace {

using Numbers = std::vector<double>;
const std::vector<std::string> kInputs = {"a", "b", "c"};

Numbers predictions(const SimpleModel& fitted, const TableView& x) {
  Numbers out(x.rows() * fitted.model.width);
  fitted.model.predict(x, out);
  return out;
}

// y = 2 a - b + 5, column c is constant.
const Numbers kX = {1, 2, 7, 2, 1, 7, 3, 5, 7, 4, 4, 7, 0, 1, 7};
const Numbers kY = {5, 8, 6, 9, 4};

TEST(LeastSquares, FindsALinearRule) {
  const SimpleModel fitted = fit_least_squares(TableView(kX, 3), kY, {}, kInputs);
  EXPECT_NEAR(fitted.coefficients[0], 2, 1e-14);
  EXPECT_NEAR(fitted.coefficients[1], -1, 1e-14);
  EXPECT_EQ(fitted.coefficients[2], 0);
  EXPECT_NEAR(fitted.offsets[0], 5, 1e-14);
  const Numbers found = predictions(fitted, TableView(kX, 3));
  for (size_t i = 0; i < kY.size(); ++i) EXPECT_NEAR(found[i], kY[i], 1e-13);
}

TEST(LeastSquares, CountsARowOfWeightTwoTwice) {
  const Numbers x = {1, 2, 4, 4};
  const Numbers y = {1, 3, 2, 2};
  const Numbers once = {1, 2, 4};
  const Numbers weights = {1, 1, 2};
  const auto twice = fit_least_squares(TableView(x, 1), y, {}, kInputs);
  const auto weighted = fit_least_squares(TableView(once, 1), Numbers{1, 3, 2}, weights, kInputs);
  EXPECT_NEAR(weighted.coefficients[0], twice.coefficients[0], 1e-15);
  EXPECT_NEAR(weighted.offsets[0], twice.offsets[0], 1e-14);
}

TEST(LeastSquares, NamesADependentColumn) {
  const Numbers x = {1, 2, 3, 2, 1, 3, 3, 5, 8, 4, 4, 8, 0, 1, 1};  // c = a + b
  const auto message = [](const Numbers& table, const Numbers& y) -> std::string {
    try {
      fit_least_squares(TableView(table, 3), y, {}, kInputs);
    } catch (const BadInput& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_EQ(message(x, kY),
            "feature 'c' is a linear combination of features before it; leave one out");
  EXPECT_EQ(message({1, 2, 4, 2, 1, 0, 7, 7, 1}, {1, 2, 3}),
            "feature 'c' is a linear combination of features before it (there are too few rows); "
            "leave one out");
}

TEST(Logistic, HasNoSlopeAtItsFit) {
  const Numbers x = {-2, 0.5, -1, 1.5, 0.5, -1, 1, 0, 2, 1, 3, -2};
  const Numbers y = {0, 0, 1, 2, 1, 2};
  const Numbers weights = {1, 2, 1, 1, 0.5, 1};
  const SimpleModel fitted = fit_logistic(TableView(x, 2), y, weights, kInputs);
  const Numbers p = predictions(fitted, TableView(x, 2));
  for (size_t c = 0; c < 3; ++c) {
    double of_offset = 0;
    Numbers slope = {fitted.coefficients[c * 2], fitted.coefficients[c * 2 + 1]};
    for (size_t i = 0; i < 6; ++i) {
      const double error = weights[i] * (p[i * 3 + c] - (y[i] == static_cast<double>(c) ? 1 : 0));
      of_offset += error;
      for (size_t j = 0; j < 2; ++j) slope[j] += error * x[i * 2 + j];
    }
    EXPECT_NEAR(of_offset, 0, 1e-6);
    EXPECT_NEAR(slope[0], 0, 1e-6);
    EXPECT_NEAR(slope[1], 0, 1e-6);
  }
  for (size_t i = 0; i < 6; ++i) EXPECT_NEAR(p[i * 3] + p[i * 3 + 1] + p[i * 3 + 2], 1, 1e-15);
}

TEST(Centroids, SayTheNearestMean) {
  const Numbers x = {0, 0, 2, 0, 10, 1, 12, 3};
  const SimpleModel fitted = fit_centroids(TableView(x, 2), Numbers{0, 0, 1, 1}, {}, kInputs);
  EXPECT_EQ(fitted.coefficients, (Numbers{1, 0, 11, 2}));
  const Numbers scores = predictions(fitted, TableView(x, 2));
  EXPECT_EQ(scores[0], -1);
  EXPECT_EQ(scores[1], -125);
}

TEST(Classifiers, NeedClasses) {
  const Numbers x = {1, 2, 3};
  for (const Numbers& y : {Numbers{0, 0.5, 1}, Numbers{0, 0, 0}, Numbers{0, -1, 1}}) {
    EXPECT_THROW(fit_logistic(TableView(x, 1), y, {}, kInputs), BadInput);
    EXPECT_THROW(fit_centroids(TableView(x, 1), y, {}, kInputs), BadInput);
  }
  EXPECT_THROW(fit_centroids(TableView(x, 1), Numbers{0, 2, 2}, {}, kInputs), BadInput);
}

}  // namespace
}  // namespace outerloop::interp
