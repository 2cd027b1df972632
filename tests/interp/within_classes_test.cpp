// Importance inside classes: donors of a query's class alone.

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "interp/answers_rows.h"
#include "outerloop/base/error.h"

namespace outerloop::interp {
namespace {

// The odds of class 1 are exp(x0 + x1 x2), whatever the task.
double odds_of(float x0, float x1, float x2) {
  return std::exp(static_cast<double>(x0 + x1 * x2));
}
class ReadsThreeInputs final : public SaysOdds {
 public:
  ReadsThreeInputs() : SaysOdds(3) {}

 private:
  double odds_of(std::span<const float> x) const override {
    return interp::odds_of(x[0], x[1], x[2]);
  }
};

// x0 says the class and nothing else, the others differ inside the classes of 4 and 6 queries.
class InsideClasses : public testing::Test {
 protected:
  InsideClasses() {
    for (size_t row = 0; row < 10; ++row) {
      const bool second = row % 5 < 3;
      episode_.query_y.as<int32_t>()[row] = second ? 1 : 0;
      const auto x = episode_.query_x.as<float>().subspan(3 * row, 3);
      x[0] = second ? 1 : -1;
      x[1] = 0.2F * static_cast<float>(row * row % 7);
      x[2] = static_cast<float>(row);
    }
    episode_.support_y.as<int32_t>()[3] = 1;
    scoring_.groups = {{"x0", {0}}, {"x1", {1}}};
    scoring_.metrics = {metric_named("log_loss")};
    scoring_.estimands = {Estimand::query};
    scoring_.within_classes = true;
  }

  // Means over repeats, by group.
  std::array<double, 2> values() {
    ReadsThreeInputs learner;
    TaskScorer scorer(scoring_, learner, spec_, {});
    std::vector<double> all(scorer.columns().size());
    scorer.score(episode_, 3, all);
    std::array<double, 2> sums{}, counts{};
    for (size_t c = 0; c < all.size(); ++c) {
      if (scorer.columns()[c].is_baseline) continue;
      sums.at(scorer.columns()[c].group) += all[c];
      ++counts.at(scorer.columns()[c].group);
    }
    return {sums[0] / counts[0], sums[1] / counts[1]};
  }

  const data::EpisodeSpec spec_{.support_x = {DType::f32, {4, 3}},
                                .support_y = {DType::i32, {4}},
                                .query_x = {DType::f32, {10, 3}},
                                .query_y = {DType::i32, {10}}};
  data::Episode episode_{spec_};
  TaskScoring scoring_;
};

TEST_F(InsideClasses, WhatTellsOnlyTheClassIsExactlyZero) {
  const std::array<double, 2> seen = values();
  EXPECT_EQ(seen[0], 0);
  EXPECT_GT(std::abs(seen[1]), 0.01);
  scoring_.within_classes = false;
  EXPECT_GT(values()[0], 0.1);
}

TEST_F(InsideClasses, ExactModeIsTheMeanOverAllDonorsOfTheClass) {
  const auto loss = [&](size_t row, size_t donor) {
    const auto x = episode_.query_x.as<float>();
    const double odds = odds_of(x[3 * row], x[3 * donor + 1], x[3 * row + 2]);
    return -std::log(episode_.query_y.as<int32_t>()[row] == 1 ? odds / (1 + odds) : 1 / (1 + odds));
  };
  double own = 0, donated = 0;
  for (size_t row = 0; row < 10; ++row) {
    own += loss(row, row) / 10;
    double sum = 0, donors = 0;
    for (size_t donor = 0; donor < 10; ++donor) {
      if (episode_.query_y.as<int32_t>()[row] != episode_.query_y.as<int32_t>()[donor]) continue;
      sum += loss(row, donor);
      ++donors;
    }
    donated += sum / donors / 10;
  }
  scoring_.exact = true;
  EXPECT_NEAR(values()[1], donated - own, 1e-6);
  scoring_.exact = false;
  scoring_.repeats = 4000;
  EXPECT_NEAR(values()[1], donated - own, 0.02 * std::abs(donated - own));
}

TEST_F(InsideClasses, RefusesSetsWithOneRowOfAClassAndForeignDonors) {
  scoring_.estimands = {Estimand::across};
  EXPECT_THROW(values(), BadInput);
  scoring_.estimands = {Estimand::support};
  EXPECT_NO_THROW(values());
  ReadsThreeInputs learner;
  data::EpisodeSpec one_shot = spec_;
  one_shot.support_x.shape = {2, 3};
  EXPECT_THROW(TaskScorer(scoring_, learner, one_shot, {}), BadInput);
  scoring_.estimands = {Estimand::query};
  EXPECT_NO_THROW(TaskScorer(scoring_, learner, one_shot, {}));
  data::EpisodeSpec one_query = spec_;
  one_query.query_x.shape = {2, 3};
  EXPECT_THROW(TaskScorer(scoring_, learner, one_query, {}), BadInput);
}

}  // namespace
}  // namespace outerloop::interp
