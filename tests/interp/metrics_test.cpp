#include "outerloop/interp/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "outerloop/base/error.h"

namespace outerloop::interp {
namespace {

using Numbers = std::vector<double>;

double value_of(std::string_view metric, const Numbers& targets, const Numbers& predictions,
                size_t width = 1, const Numbers& weights = {}) {
  return metric_named(metric).function(targets, {predictions, width}, weights);
}

TEST(R2, ComparesWithTheMean) {
  EXPECT_DOUBLE_EQ(value_of("r2", {1, 2, 3}, {1, 2, 5}), 1 - 4.0 / 2);
  // Weighted mean 2.25; squares 0.25 * 1.5625 + ... by hand.
  EXPECT_DOUBLE_EQ(value_of("r2", {1, 3}, {1, 2}, 1, {1, 3}), 1 - 3 * 1.0 / (2.25 + 3 * 0.25));
}

TEST(R2, HasValuesAtTheEdges) {
  EXPECT_EQ(value_of("r2", {4, 4}, {4, 4}), 1);
  EXPECT_EQ(value_of("r2", {4, 4}, {4, 5}), 0);
  EXPECT_TRUE(std::isnan(value_of("r2", {4}, {4})));
}

TEST(Errors, AreAveraged) {
  EXPECT_DOUBLE_EQ(value_of("mse", {1, 2}, {2, 4}), 2.5);
  EXPECT_DOUBLE_EQ(value_of("mae", {1, 2}, {2, 4}), 1.5);
  EXPECT_DOUBLE_EQ(value_of("mae", {1, 2}, {2, 4}, 1, {3, 1}), 1.25);
}

TEST(Accuracy, CountsLabelsAndGreatestScores) {
  EXPECT_DOUBLE_EQ(value_of("accuracy", {0, 1, 2, 1}, {0, 1, 1, 1}), 0.75);
  // The second row ties: the lowest class is said.
  EXPECT_DOUBLE_EQ(value_of("accuracy", {1, 1}, {0.2, 0.8, 0.5, 0.5}, 2), 0.5);
  EXPECT_DOUBLE_EQ(value_of("accuracy", {0, 1}, {0, 0}, 1, {3, 1}), 0.75);
}

// Expectations of balanced accuracy, Brier loss and weighted AUROC: scikit-learn 1.9.1.
TEST(BalancedAccuracy, AveragesOverTheClassesOfTheTargets) {
  const Numbers targets = {0, 0, 0, 1, 1, 2};
  const Numbers said = {0, 1, 0, 1, 1, 3};
  EXPECT_DOUBLE_EQ(value_of("balanced_accuracy", targets, said), 0.5555555555555555);
  EXPECT_DOUBLE_EQ(value_of("balanced_accuracy", targets, said, 1, {1, 2, 0.5, 1, 3, 1}),
                   0.4761904761904762);
}

TEST(LogLoss, ClipsProbabilities) {
  EXPECT_DOUBLE_EQ(value_of("log_loss", {0, 1}, {0.0, 0.5}), 0.34657359027997275);
  EXPECT_DOUBLE_EQ(value_of("log_loss", {1}, {0.0}), -std::log(0x1p-52));
  EXPECT_DOUBLE_EQ(value_of("log_loss", {2}, {0.5, 0.25, 0.25}, 3), std::log(4.0));
}

TEST(BrierLoss, IsHalvedForTwoClasses) {
  EXPECT_DOUBLE_EQ(value_of("brier", {0, 1}, {0.25, 0.5}), 0.15625);
  EXPECT_DOUBLE_EQ(value_of("brier", {0, 1}, {0.75, 0.25, 0.5, 0.5}, 2), 0.15625);
  EXPECT_DOUBLE_EQ(value_of("brier", {0, 2}, {0.5, 0.25, 0.25, 0.125, 0.75, 0.125}, 3), 0.859375);
}

TEST(Auroc, CountsTiesHalf) {
  EXPECT_DOUBLE_EQ(value_of("auroc", {0, 1, 0, 1}, {0.1, 0.2, 0.3, 0.4}), 0.75);
  EXPECT_DOUBLE_EQ(value_of("auroc", {0, 1, 1, 0}, {0.5, 0.5, 0.5, 0.5}), 0.5);
  EXPECT_DOUBLE_EQ(value_of("auroc", {0, 1, 1, 0}, {0.5, 0.2, 0.5, 0.1}, 1, {1, 2, 3, 4}), 0.86);
  EXPECT_DOUBLE_EQ(value_of("auroc", {0, 1}, {0.9, 0.1, 0.2, 0.8}, 2), 1);
}

TEST(Auroc, OfOneClassIsUndefined) {
  EXPECT_TRUE(std::isnan(value_of("auroc", {1, 1}, {0.5, 0.2})));
  EXPECT_TRUE(std::isnan(value_of("auroc", {0, 0}, {0.5, 0.2})));
}

TEST(Metrics, TurnLossesIntoScores) {
  const Numbers targets = {1, 2};
  const Numbers predictions = {2, 4};
  EXPECT_EQ(metric_named("mse").score(targets, {predictions}, {}), -2.5);
  EXPECT_EQ(metric_named("r2").score(targets, {predictions}, {}), 1 - 5 / 0.5);
}

TEST(Metrics, RefuseWhatDoesNotFit) {
  for (const Metric& metric : metrics()) {
    EXPECT_THROW(value_of(metric.name, {0, 1}, {0}), BadInput) << metric.name;
    EXPECT_THROW(value_of(metric.name, {0, 1}, {0, 1}, 1, {1}), BadInput) << metric.name;
    EXPECT_THROW(value_of(metric.name, {}, {}), BadInput) << metric.name;
  }
  EXPECT_THROW(value_of("r2", {0, 1}, {0, 1, 0, 1}, 2), BadInput);
  EXPECT_THROW(value_of("auroc", {0, 2}, {0.1, 0.2}), BadInput);
  EXPECT_THROW(value_of("log_loss", {3}, {0.5, 0.25, 0.25}, 3), BadInput);
  EXPECT_THROW(metric_named("rmse"), BadInput);
}

}  // namespace
}  // namespace outerloop::interp
