#include "outerloop/interp/statistics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>

#include "outerloop/base/averages.h"
#include "outerloop/base/error.h"

namespace outerloop::interp {
namespace {

using Numbers = std::vector<double>;

TEST(ConditionalValueAtRisk, AveragesTheWorstShare) {
  const Numbers losses = {1, 4, 2, 3};
  EXPECT_DOUBLE_EQ(conditional_value_at_risk(losses, 0.5), 3.5);
  EXPECT_DOUBLE_EQ(conditional_value_at_risk(losses, 0.375), (4 + 0.5 * 3) / 1.5);
  EXPECT_DOUBLE_EQ(conditional_value_at_risk(losses, 0.01), 4);
  EXPECT_DOUBLE_EQ(conditional_value_at_risk(losses, 1), 2.5);
  EXPECT_THROW(conditional_value_at_risk(losses, 0), BadInput);
  EXPECT_THROW(conditional_value_at_risk({}, 0.5), BadInput);
}

TEST(SignFlips, AreAllDifferentWhenExhaustive) {
  const auto flips = SignFlips::exhaustive(4);
  std::set<Numbers> seen;
  Numbers signs(4);
  for (uint64_t i = 0; i < flips.count(); ++i) {
    flips.fill(i, signs);
    seen.insert(signs);
    if (i == 0) {
      EXPECT_EQ(signs, Numbers(4, 1.0));
    }
  }
  EXPECT_EQ(seen.size(), 16u);
  EXPECT_THROW(SignFlips::exhaustive(25), BadInput);
}

TEST(SignFlips, AreAllTriedForFewTasks) {
  EXPECT_EQ(SignFlips::of(3, 2000, 1).count(), 8u);
  EXPECT_EQ(SignFlips::of(11, 2000, 1).count(), 2048u);
  EXPECT_EQ(SignFlips::of(12, 2000, 1).count(), 2000u);
}

TEST(SignFlips, AreFunctionsOfSeedAndPlaceWhenSampled) {
  Numbers a(100);
  Numbers b(100);
  SignFlips::sampled(100, 10, 5).fill(7, a);
  SignFlips::sampled(100, 1000, 5).fill(7, b);
  EXPECT_EQ(a, b);
  SignFlips::sampled(100, 10, 6).fill(7, b);
  EXPECT_NE(a, b);
  SignFlips::sampled(100, 10, 5).fill(0, a);
  EXPECT_EQ(a, Numbers(100, 1.0));
}

TEST(SignFlipTest, CountsByHand) {
  // Sums ±1±2±4: 7 is reached once, -7 once.
  const auto test = sign_flip_test(Numbers{1, 2, 4}, SignFlips::exhaustive(3));
  EXPECT_EQ(test.vectors, 8u);
  EXPECT_EQ(test.two_sided, 2u);
  EXPECT_EQ(test.greater, 1u);
  EXPECT_EQ(test.less, 8u);
}

TEST(SignFlipTest, TakesRoundingErrorsAsTies) {
  // 0.1 + 0.2 = 0.3 but for rounding: the flips of the first two against the third tie.
  const auto test = sign_flip_test(Numbers{0.1, 0.2, -0.3}, SignFlips::exhaustive(3));
  EXPECT_EQ(test.two_sided, 8u);
  const auto nothing = sign_flip_test(Numbers{0, 0}, SignFlips::exhaustive(2));
  EXPECT_EQ(nothing.two_sided, 4u);
}

TEST(SignFlipTest, IsApproximatedBySampling) {
  const Numbers values = {0.5, -0.25, 1.125, 0.75, -0.125, 0.875, 0.375, -0.5, 1.0, 0.25};
  const auto exact = sign_flip_test(values, SignFlips::exhaustive(10));
  const auto sampled = sign_flip_test(values, SignFlips::sampled(10, 20000, 3));
  EXPECT_NEAR(static_cast<double>(sampled.two_sided) / 20000,
              static_cast<double>(exact.two_sided) / 1024, 0.006);
}

TEST(MaxT, OfOneColumnIsTheSignFlipTestOfT) {
  const Numbers x = {0.5, -0.25, 1.125, 0.75, -0.125, 0.875};
  const auto flips = SignFlips::exhaustive(6);
  const MaxT result = max_t(TableView(x, 1), flips);
  EXPECT_EQ(result.exceeding[0], sign_flip_test(x, flips).two_sided);
  const auto interval = mean_interval(x);
  EXPECT_DOUBLE_EQ(result.mean[0], interval.mean);
  EXPECT_DOUBLE_EQ(result.error[0], interval.error);
  EXPECT_DOUBLE_EQ(result.lower[0], interval.mean - result.critical * interval.error);
}

TEST(MaxT, WidensTheBandWithEachColumn) {
  std::mt19937 generator(4);
  std::normal_distribution<double> normal;
  Numbers one;
  Numbers three;
  for (int i = 0; i < 8; ++i) {
    const Numbers row = {normal(generator), normal(generator), normal(generator)};
    one.push_back(row[0]);
    three.insert(three.end(), row.begin(), row.end());
  }
  const auto flips = SignFlips::exhaustive(8);
  const MaxT alone = max_t(TableView(one, 1), flips);
  const MaxT joint = max_t(TableView(three, 3), flips);
  EXPECT_GT(joint.critical, alone.critical);
  EXPECT_GE(joint.exceeding[0], alone.exceeding[0]);
}

TEST(MaxT, GivesColumnsWithoutVariationNoWidth) {
  const Numbers x = {0, 1, 0, 2, 0, 4};  // column 0 is an unused feature
  const MaxT result = max_t(TableView(x, 2), SignFlips::exhaustive(3));
  EXPECT_EQ(result.statistic[0], 0);
  EXPECT_EQ(result.lower[0], 0);
  EXPECT_EQ(result.upper[0], 0);
  EXPECT_EQ(result.exceeding[0], 8u);
  EXPECT_TRUE(std::isfinite(result.critical));
}

TEST(JointBand, IsTheQuantileOfTheGreatestT) {
  const std::vector<Numbers> columns = {{0.5, -0.25, 1.125, 0.75, 0.25, 0.5, -0.75},
                                        {1, 2, 0.5, -1, 0.125, 0, 1.75}};
  const auto flips = SignFlips::sampled(7, 100, 3);
  const JointBand band = joint_band(columns, flips, 0.9);
  Numbers greatest;
  Numbers signs(7);
  for (uint64_t vector = 0; vector < 100; ++vector) {
    flips.fill(vector, signs);
    double most = 0;
    for (const Numbers& column : columns) {
      const double mean = mean_interval(column).mean;
      Numbers flipped;
      for (size_t i = 0; i < 7; ++i) flipped.push_back(signs[i] * (column[i] - mean));
      const auto interval = mean_interval(flipped);
      most = std::max(most, std::abs(interval.mean) / interval.error);
    }
    greatest.push_back(most);
  }
  std::ranges::sort(greatest);
  EXPECT_NEAR(band.critical, greatest[89], 1e-12 * greatest[89]);
  EXPECT_GT(band.critical, 1.9431802805153024);
  for (size_t j = 0; j < 2; ++j) {
    EXPECT_DOUBLE_EQ(band.half[j], band.critical * mean_interval(columns[j]).error);
  }
}

// A column of other values at other tasks has no say in which signs the common tasks get.
TEST(JointBand, TakesColumnsOfFewerTasks) {
  const std::vector<Numbers> columns = {{0.5, -0.25, 1.125, 0.75, 0.25, 0.5, -0.75},
                                        {1, 1, 1, 1, 1, 1}};
  const auto flips = SignFlips::exhaustive(7);
  EXPECT_EQ(joint_band(columns, flips).critical,
            joint_band(std::vector<Numbers>{columns[0]}, flips).critical);
  EXPECT_EQ(joint_band(columns, flips).half[1], 0);
  EXPECT_THROW(joint_band(columns, SignFlips::exhaustive(4)), BadInput);
  EXPECT_THROW(joint_band(std::vector<Numbers>{{1, 2}, {1}}, SignFlips::exhaustive(2)), BadInput);
}

// All values but one alike: flips of signs reach no great t, so that Student's is the wider.
TEST(JointBand, IsNoNarrowerThanTheIntervalOfAColumn) {
  const std::vector<Numbers> columns = {{1, 0, 0, 0, 0, 0, 0, 0}};
  const JointBand band = joint_band(columns, SignFlips::exhaustive(8));
  const MeanInterval alone = mean_interval(columns[0]);
  EXPECT_LT(band.critical, alone.quantile);
  EXPECT_DOUBLE_EQ(band.half[0], alone.half);
}

// Of 32 vectors of signs two are 6.25 %, of 64 they are 3.1 %.
TEST(JointBand, NeedsTasksForItsLevel) {
  EXPECT_EQ(fewest_tasks_of_band(0.95), 6u);
  EXPECT_EQ(fewest_tasks_of_band(0.9375), 5u);
  EXPECT_EQ(fewest_tasks_of_band(0.5), 2u);
  const std::vector<Numbers> columns = {{1, 2, 0.5, -1, 0.125, 0}, {1, 2, 0.5, -1, 0.125}};
  const JointBand band = joint_band(columns, SignFlips::exhaustive(6));
  EXPECT_TRUE(std::isfinite(band.half[0]));
  EXPECT_EQ(band.half[1], INFINITY);
}

// Two vectors of 64 make the values of one column equal, but four those of one of these.
TEST(JointBand, HasNoEndWhereFewTasksHaveFewDifferentValues) {
  const std::vector<Numbers> columns = {{0, 0, 0, 0.1, 0.1, 0.1}, {0, 0.1, 0, 0.1, 0, 0.1}};
  const auto flips = SignFlips::exhaustive(6);
  EXPECT_EQ(joint_band(columns, flips).half, (Numbers{INFINITY, INFINITY}));
  for (const Numbers& column : columns) {
    const JointBand alone = joint_band(std::vector<Numbers>{column}, flips);
    EXPECT_LT(alone.half[0], 0.1);
  }
}

TEST(Statistics, RefuseWhatDoesNotFit) {
  const auto flips = SignFlips::exhaustive(3);
  EXPECT_THROW(sign_flip_test(Numbers{1, 2}, flips), BadInput);
  EXPECT_THROW(max_t(TableView(Numbers{1, 2}, 1), flips), BadInput);
  EXPECT_THROW(max_t(TableView(Numbers{1}, 1), SignFlips::exhaustive(1)), BadInput);
  EXPECT_THROW(SignFlips::sampled(3, 0, 1), BadInput);
}

}  // namespace
}  // namespace outerloop::interp
