#include "outerloop/interp/calibration.h"

#include <gtest/gtest.h>

#include <cmath>

#include "outerloop/base/error.h"

namespace outerloop::interp {
namespace {

using Numbers = std::vector<double>;

TEST(CalibrationError, BinsAreOpenBelowAndClosedAbove) {
  const auto error = calibration_error(Numbers{0.4, 0.5, 0.9}, Numbers{1, 0, 1}, 2);
  EXPECT_EQ(error.bin_count, (std::vector<int64_t>{2, 1}));
  EXPECT_NEAR(error.value, 2.0 / 3 * 0.05 + 1.0 / 3 * 0.1, 1e-15);
}

TEST(CalibrationError, LeavesConfidenceZeroOutOfTheBinsButNotOutOfTheCount) {
  const auto error = calibration_error(Numbers{0, 1}, Numbers{1, 0}, 4);
  EXPECT_EQ(error.bin_count, (std::vector<int64_t>{0, 0, 0, 1}));
  EXPECT_DOUBLE_EQ(error.value, 0.5);
}

TEST(Softmax, SurvivesLargeLogits) {
  const Numbers p = softmax(TableView(Numbers{1000, 1000, -1000, 0}, 2));
  EXPECT_EQ(p, (Numbers{0.5, 0.5, 0, 1}));
}

TEST(Likelihood, OfLogitsIsThatOfTheirProbabilities) {
  const Numbers logits = {0.5, -1, 2, 1, 0, 0};
  const Numbers labels = {2, 0};
  const TableView z(logits, 3);
  const Numbers p = softmax(z, 0.7);
  EXPECT_NEAR(logit_nll(z, labels, 0.7), negative_log_likelihood(TableView(p, 3), labels), 1e-15);
  const double step = 1e-5;
  const double difference = logit_nll(z, labels, 0.7 + step) - logit_nll(z, labels, 0.7 - step);
  EXPECT_NEAR(logit_nll_slope(z, labels, 0.7), difference / (2 * step), 1e-9);
}

TEST(BrierScore, SumsOverClasses) {
  const Numbers p = {0.5, 0.5, 1, 0};
  EXPECT_DOUBLE_EQ(brier_score(TableView(p, 2), Numbers{0, 1}), (0.5 + 2) / 2);
}

TEST(TopClass, TiesGoToTheLowest) {
  const Numbers p = {0.4, 0.4, 0.2, 0.1, 0.2, 0.7};
  const TopClass top = top_class(TableView(p, 3), Numbers{1, 2});
  EXPECT_EQ(top.confidence, (Numbers{0.4, 0.7}));
  EXPECT_EQ(top.correct, (Numbers{0, 1}));
}

// Two classes with logits ±z, right in a share a of rows: sigmoid(2 z / T) = a.
TEST(Temperature, MatchesConfidenceToAccuracy) {
  const double z = 3;
  const Numbers logits = {z, -z, z, -z, z, -z, z, -z};
  const auto inverse = fit_inverse_temperature(TableView(logits, 2), Numbers{0, 0, 0, 1});
  ASSERT_TRUE(inverse.has_value());
  EXPECT_NEAR(*inverse, std::log(3.0) / (2 * z), 1e-14);
}

TEST(Temperature, HasNoMinimumWhenLabelsAlwaysOrSeldomWin) {
  const Numbers logits = {1, -1, -1, 1};
  EXPECT_FALSE(fit_inverse_temperature(TableView(logits, 2), Numbers{0, 1}).has_value());
  EXPECT_FALSE(fit_inverse_temperature(TableView(logits, 2), Numbers{1, 0}).has_value());
}

TEST(Calibration, RefusesWhatDoesNotFit) {
  const Numbers p = {0.5, 0.5, 1, 0};
  EXPECT_THROW(brier_score(TableView(p, 2), Numbers{0}), BadInput);
  EXPECT_THROW(brier_score(TableView(p, 2), Numbers{0, 2}), BadInput);
  EXPECT_THROW(brier_score(TableView(p, 2), Numbers{0, 0.5}), BadInput);
  EXPECT_THROW(calibration_error(Numbers{0.5}, Numbers{1}, 0), BadInput);
  EXPECT_THROW(calibration_error(Numbers{0.5}, Numbers{1, 0}, 5), BadInput);
}

}  // namespace
}  // namespace outerloop::interp
