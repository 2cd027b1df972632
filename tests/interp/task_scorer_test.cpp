// Importance of groups for learners that adapt, on a toy of known values: y = a x1 + 2 x2 + 0 x3 +
// 1.5 x4 + noise of 0.3, a ~ N(0, 1) of the task, x4 constant in a task, 5 support and 75 query
// rows. The learner is Bayes' rule for weights around (0, 2, 0, 1.5) with deviations (1, 0.1, 0.1,
// 0.1). Scores are negative mean squared errors.

#include "outerloop/interp/task_scorer.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <map>

#include "interp/answers_rows.h"
#include "outerloop/base/error.h"
#include "outerloop/base/philox.h"
#include "outerloop/interp/task_summary.h"

namespace outerloop::interp {
namespace {

constexpr size_t kInputs = 4;
constexpr int kSupport = 5;
constexpr int kQuery = 75;
constexpr std::array<double, kInputs> kPrior = {0, 2, 0, 1.5};
constexpr double kNoise = 0.3;
constexpr std::array<double, kInputs> kPull = {0.09, 9, 9, 9};  // noise^2 / deviation^2

data::EpisodeSpec toy_spec() {
  return {.support_x = {DType::f32, {kSupport, 4}},
          .support_y = {DType::f32, {kSupport, 1}},
          .query_x = {DType::f32, {kQuery, 4}},
          .query_y = {DType::f32, {kQuery, 1}}};
}

data::Episode toy(uint64_t task) {
  data::Episode episode(toy_spec());
  Philox random({.seed = 5, .purpose = Purpose::test, .iteration = task});
  const double a = random.normal();
  const double level = random.normal();
  const auto fill = [&](Tensor& x, Tensor& y) {
    const auto rows = x.as<float>();
    for (size_t row = 0; row < y.as<float>().size(); ++row) {
      for (size_t c = 0; c < 3; ++c) {
        rows[row * kInputs + c] = static_cast<float>(random.normal());
      }
      rows[row * kInputs + 3] = static_cast<float>(level);
      y.as<float>()[row] = static_cast<float>(a * static_cast<double>(rows[row * kInputs]) +
                                              2 * static_cast<double>(rows[row * kInputs + 1]) +
                                              1.5 * level + kNoise * random.normal());
    }
  };
  fill(episode.support_x, episode.support_y);
  fill(episode.query_x, episode.query_y);
  return episode;
}

// argmin_w |y - X w|^2 + sum_i pull_i (w_i - prior_i)^2, by Gaussian elimination.
class Ridge final : public AnswersRows {
 public:
  int64_t steps() const override { return 1; }
  size_t width() const override { return 1; }
  bool couples_rows() const override { return couples; }
  double adapt_cost() const override { return 100; }
  double answer_cost(size_t) const override { return 10; }
  void relabel(std::span<const float> y) override { y_.assign(y.begin(), y.end()); }
  void adapt(std::span<const float> x) override {
    ++adaptations;
    std::array<std::array<double, kInputs + 1>, kInputs> system{};
    for (size_t i = 0; i < kInputs; ++i) system.at(i).at(i) = kPull.at(i);
    for (size_t row = 0; row < y_.size(); ++row) {
      double rest = static_cast<double>(y_[row]);
      for (size_t i = 0; i < kInputs; ++i) rest -= at(x, row, i) * kPrior.at(i);
      for (size_t i = 0; i < kInputs; ++i) {
        for (size_t j = 0; j < kInputs; ++j) {
          system.at(i).at(j) += at(x, row, i) * at(x, row, j);
        }
        system.at(i).at(kInputs) += at(x, row, i) * rest;
      }
    }
    for (size_t i = 0; i < kInputs; ++i) {
      for (size_t other = 0; other < kInputs; ++other) {
        if (other == i) continue;
        const double times = system.at(other).at(i) / system.at(i).at(i);
        for (size_t j = 0; j <= kInputs; ++j) system.at(other).at(j) -= times * system.at(i).at(j);
      }
    }
    for (size_t i = 0; i < kInputs; ++i) {
      adapted_.at(i) = kPrior.at(i) + system.at(i).at(kInputs) / system.at(i).at(i);
    }
  }
  void answer(int64_t step, std::span<double> predictions) override {
    const std::span<const float> x = asked();
    const auto& weights = step == 0 ? kPrior : adapted_;
    for (size_t row = 0; row < predictions.size(); ++row) {
      predictions[row] = 0;
      for (size_t i = 0; i < kInputs; ++i) predictions[row] += weights.at(i) * at(x, row, i);
    }
  }

  bool couples = false;
  int adaptations = 0;

 private:
  static double at(std::span<const float> x, size_t row, size_t column) {
    return static_cast<double>(x[row * kInputs + column]);
  }
  std::vector<float> y_;
  std::array<double, kInputs> adapted_{};
};

TaskScoring all_estimands() {
  return {.groups = {{"x1", {0}}, {"x2", {1}}, {"x3", {2}}, {"x4", {3}}},
          .metrics = {metric_named("mse")},
          .estimands = {Estimand::prior, Estimand::query, Estimand::support,
                        Estimand::support_query, Estimand::drop, Estimand::across},
          .repeats = 2,
          .seed = 3,
          .means = {0, 0, 0, 0}};
}

class Toy {
 public:
  explicit Toy(const TaskScoring& scoring)
      : scoring_(scoring),
        scorer_(scoring, learner_, toy_spec(),
                [this](uint64_t task, uint64_t draw) -> const data::Episode& {
                  other_ = toy(1'000'000 + 1000 * task + draw);
                  return other_;
                }) {}

  std::vector<double> values(uint64_t task) {
    std::vector<double> result(scorer_.columns().size());
    scorer_.score(toy(task), task, result);
    return result;
  }

  // The means over the repeats of each task, by estimand and group.
  std::map<std::pair<Estimand, size_t>, std::vector<double>> over(uint64_t tasks) {
    std::map<std::pair<Estimand, size_t>, std::vector<double>> result;
    for (uint64_t task = 0; task < tasks; ++task) {
      std::map<std::pair<Estimand, size_t>, std::pair<double, int>> sums;
      const std::vector<double> all = values(task);
      for (size_t c = 0; c < all.size(); ++c) {
        const TaskColumn& column = scorer_.columns()[c];
        if (column.is_baseline) continue;
        auto& [sum, count] = sums[{column.estimand, column.group}];
        sum += all[c];
        ++count;
      }
      for (const auto& [key, sum] : sums) result[key].push_back(sum.first / sum.second);
    }
    return result;
  }

  TaskScorer& scorer() { return scorer_; }
  const Ridge& learner() const { return learner_; }

 private:
  TaskScoring scoring_;
  Ridge learner_;
  data::Episode other_{toy_spec()};
  TaskScorer scorer_;
};

TEST(TaskScorer, ToyHasItsKnownImportances) {
  // Of an independent computation with numpy over 2,000 tasks, drop over 400,000.
  const std::map<Estimand, std::array<double, 4>> known{
      {Estimand::prior, {0, 7.88, 0, 0}},
      {Estimand::query, {1.93, 7.90, 0, 0}},
      {Estimand::support, {0.95, 2.05, 0, 0}},
      {Estimand::support_query, {1.30, 8.30, 0, 0}},
      {Estimand::drop, {1.033, 5.364, -0.0018, 2.999}},
      {Estimand::across, {1.95, 8.02, 0, 4.48}},
  };
  const auto seen = Toy(all_estimands()).over(2000);
  for (const auto& [estimand, expected] : known) {
    for (size_t g = 0; g < 4; ++g) {
      const TaskSummary summary = summarise_tasks(seen.at({estimand, g}));
      // Both sides have Monte-Carlo errors: four of them together.
      const double error = 4 * std::sqrt(2.0) * summary.interval.error + 0.006;
      EXPECT_NEAR(summary.interval.mean, expected.at(g), error)
          << config::word(estimand) << " x" << g + 1;
    }
  }
}

TEST(TaskScorer, WhatIsNotReadIsExactlyZero) {
  const auto seen = Toy(all_estimands()).over(20);
  for (size_t task = 0; task < 20; ++task) {
    EXPECT_EQ(seen.at({Estimand::prior, 0})[task], 0) << "weight 0 in the prior";
    EXPECT_EQ(seen.at({Estimand::query, 3})[task], 0) << "constant inside the task";
    EXPECT_EQ(seen.at({Estimand::support, 3})[task], 0) << "constant inside the task";
  }
}

// The score of a task that has the training mean in place of the group, in both of its sets.
TEST(TaskScorer, DropIsTheTaskWithTheMeanInBothSets) {
  TaskScoring scoring = all_estimands();
  scoring.groups = {{"x1 and x4", {0, 3}}};
  scoring.estimands = {Estimand::drop};
  scoring.means = {0.5F, 9, 9, -0.25F};
  const data::Episode whole = toy(6);
  data::Episode without = toy(6);
  for (Tensor* x : {&without.support_x, &without.query_x}) {
    const auto rows = x->as<float>();
    for (size_t at = 0; at < rows.size(); at += kInputs) {
      rows[at] = 0.5F;
      rows[at + 3] = -0.25F;
    }
  }
  const auto score = [](const data::Episode& task) {
    Ridge learner;
    learner.begin(task);
    learner.adapt(task.support_x.as<float>());
    std::vector<double> answers(kQuery);
    const ChangedRows untouched;
    learner.ask(std::span(&untouched, 1));
    learner.answer(1, answers);
    const auto truth = task.query_y.as<float>();
    double squares = 0;
    for (size_t row = 0; row < kQuery; ++row) {
      squares += std::pow(answers[row] - static_cast<double>(truth[row]), 2);
    }
    return -squares / kQuery;
  };
  Toy scored(scoring);
  const std::vector<double> values = scored.values(6);
  EXPECT_NEAR(values.back(), score(whole) - score(without), 1e-12);
  EXPECT_GT(values.back(), 0.1);
}

// x4 is constant in a task, so its copies are the task itself, but for those with its mean or with
// the queries of other tasks.
TEST(TaskScorer, CopiesThatAreTheOriginalAreNotScored) {
  struct Case {
    std::vector<Estimand> estimands;
    int64_t cells, spared;
    int adaptations;
  };
  for (const Case& c : {Case{{Estimand::prior, Estimand::query}, 4, 4, 1},
                        Case{{Estimand::support, Estimand::support_query}, 4, 4, 1},
                        Case{{Estimand::across}, 2, 0, 1}, Case{{Estimand::drop}, 1, 0, 2}}) {
    TaskScoring scoring = all_estimands();
    scoring.groups = {{"x4", {3}}};
    scoring.estimands = c.estimands;
    Toy toy(scoring);
    toy.values(3);
    const TaskWork& work = toy.scorer().work();
    EXPECT_EQ(work.cells, c.cells);
    EXPECT_EQ(work.spared, c.spared);
    EXPECT_EQ(work.rows, kQuery * (2 + c.cells - c.spared)) << "two untouched sets";
    EXPECT_EQ(toy.learner().adaptations, c.adaptations);
  }
}

// One support row of x1 alone differs: some permutations move it, others do not.
TEST(TaskScorer, SupportSetsThatStayAreScoredWithTheTasksOwnAdaptation) {
  data::Episode episode = toy(4);
  for (size_t row = 0; row < kSupport; ++row) {
    episode.support_x.as<float>()[row * kInputs] = row == 0 ? 2.0F : 0.5F;
  }
  TaskScoring scoring = all_estimands();
  scoring.groups = {{"x1", {0}}};
  scoring.estimands = {Estimand::query, Estimand::support, Estimand::support_query};
  scoring.repeats = 40;
  Ridge learner;
  TaskScorer scorer(scoring, learner, toy_spec(), {});
  std::vector<double> values(scorer.columns().size());
  scorer.score(episode, 4, values);
  std::map<Estimand, std::map<int64_t, double>> found;
  for (size_t c = 0; c < values.size(); ++c) {
    const TaskColumn& column = scorer.columns()[c];
    if (!column.is_baseline) found[column.estimand][column.repeat] = values[c];
  }
  int64_t stayed = 0;
  for (const auto& [repeat, decrease] : found[Estimand::support]) {
    if (decrease != 0) continue;
    ++stayed;
    EXPECT_EQ(found[Estimand::support_query][repeat], found[Estimand::query][repeat]);
  }
  EXPECT_EQ(scorer.work().spared, stayed);
  EXPECT_GT(stayed, 0);
  EXPECT_LT(stayed, 40);
  EXPECT_EQ(learner.adaptations, 1 + 40 - stayed);
}

TEST(TaskScorer, ValuesOfATaskDependOnNothingElse) {
  Toy toy(all_estimands());
  const std::vector<double> first = toy.values(7);
  toy.values(8);
  EXPECT_EQ(toy.values(7), first);
  // Dropping a group or an estimand leaves the others' numbers.
  TaskScoring fewer = all_estimands();
  fewer.groups.erase(fewer.groups.begin());
  fewer.estimands = {Estimand::across, Estimand::query};
  Toy other(fewer);
  const std::vector<double> some = other.values(7);
  std::map<std::string, double> by_name;
  for (size_t c = 0; c < first.size(); ++c) {
    by_name[toy.scorer().name_of(toy.scorer().columns()[c])] = first[c];
  }
  for (size_t c = 0; c < some.size(); ++c) {
    EXPECT_EQ(some[c], by_name.at(other.scorer().name_of(other.scorer().columns()[c])));
  }
}

// Says the mean label of the support points from 1 up to 2, wherever it is asked.
class ReadsOnePlace final : public AnswersRows {
 public:
  int64_t steps() const override { return 1; }
  size_t width() const override { return 1; }
  bool couples_rows() const override { return false; }
  double adapt_cost() const override { return 1; }
  double answer_cost(size_t) const override { return 1; }
  void relabel(std::span<const float> y) override { y_.assign(y.begin(), y.end()); }
  void adapt(std::span<const float> x) override {
    double sum = 0, count = 0;
    for (size_t row = 0; row < x.size(); ++row) {
      if (x[row] < 1 || x[row] >= 2) continue;
      sum += static_cast<double>(y_[row]);
      ++count;
    }
    said_ = sum / count;
  }
  void answer(int64_t step, std::span<double> predictions) override {
    std::ranges::fill(predictions, step == 0 ? 0 : said_);
  }

 private:
  std::vector<float> y_;
  double said_ = 0;
};

TEST(TaskScorer, TheBinOfTheOnlyPlaceThatIsReadIsTheOnlyOneThatMatters) {
  constexpr int kPoints = 12;
  const data::EpisodeSpec spec{.support_x = {DType::f32, {kPoints, 1}},
                               .support_y = {DType::f32, {kPoints, 1}},
                               .query_x = {DType::f32, {1, 1}},
                               .query_y = {DType::f32, {1, 1}}};
  data::Episode episode(spec);
  for (size_t row = 0; row < kPoints; ++row) {  // four points at each of 0.5, 1.5 and 2.5
    const bool is_read = row % 3 == 1;
    episode.support_x.as<float>()[row] = static_cast<float>(row % 3) + 0.5F;
    episode.support_y.as<float>()[row] = is_read ? 100.0F : static_cast<float>(row);
  }
  episode.query_y.as<float>()[0] = 100;  // what is said without a permutation
  ReadsOnePlace learner;
  TaskScorer scorer({.groups = {{"low", {}}, {"read", {}}, {"high", {}}},
                     .bins = {{-INFINITY, 1}, {1, 2}, {2, INFINITY}},
                     .metrics = {metric_named("mse")},
                     .estimands = {Estimand::labels}},
                    learner, spec, {});
  std::vector<double> values(scorer.columns().size());
  scorer.score(episode, 4, values);
  for (size_t c = 0; c < values.size(); ++c) {
    const TaskColumn& column = scorer.columns()[c];
    if (column.is_baseline) continue;
    if (column.group == 1) {
      EXPECT_GT(values[c], 0) << column.repeat;
    } else {
      EXPECT_EQ(values[c], 0) << "group " << column.group;
    }
  }
  EXPECT_EQ(scorer.work().cells - scorer.work().spared, 6) << "labels moved in each bin";
}

// Class 1 has the odds exp(x1 x2), which overflow.
class SaysWildOdds final : public SaysOdds {
 public:
  SaysWildOdds() : SaysOdds(2) {}

 private:
  double odds_of(std::span<const float> x) const override {
    return std::exp(static_cast<double>(x[0] * x[1]));
  }
};

// The class said by answers that are no numbers is the first one: accuracy would have a score.
TEST(TaskScorer, AnswersThatAreNotFiniteHaveNoScoreByAnyMetric) {
  const data::EpisodeSpec spec{.support_x = {DType::f32, {2, 2}},
                               .support_y = {DType::i32, {2}},
                               .query_x = {DType::f32, {4, 2}},
                               .query_y = {DType::i32, {4}}};
  const auto values_of = [&](const std::vector<float>& queries, std::vector<Metric> metrics) {
    data::Episode episode(spec);
    std::ranges::copy(queries, episode.query_x.as<float>().begin());
    SaysWildOdds learner;
    TaskScorer scorer({.groups = {{"x1", {0}}},
                       .metrics = std::move(metrics),
                       .estimands = {Estimand::query},
                       .exact = true},
                      learner, spec, {});
    std::vector<double> values(scorer.columns().size());
    scorer.score(episode, 1, values);
    return values;
  };
  const auto is_finite = [](double value) { return std::isfinite(value); };
  const std::vector<float> calm{2, 0, 1, 1, -1, 1, 1, -1};
  const std::vector<float> wild_if_permuted{1000, 0, 1, 1, -1, 1, 1, -1};
  const std::vector<float> wild{1000, 1, 1, 1, -1, 1, 1, -1};
  for (const auto& metrics :
       {std::vector<Metric>{metric_named("accuracy")},
        std::vector<Metric>{metric_named("accuracy"), metric_named("log_loss")}}) {
    const size_t baselines = metrics.size();
    EXPECT_TRUE(std::ranges::all_of(values_of(calm, metrics), is_finite));
    const std::vector<double> permuted = values_of(wild_if_permuted, metrics);
    EXPECT_TRUE(std::ranges::all_of(std::span(permuted).first(baselines), is_finite));
    EXPECT_TRUE(std::ranges::none_of(std::span(permuted).subspan(baselines), is_finite));
    EXPECT_TRUE(std::ranges::none_of(values_of(wild, metrics), is_finite));
  }
}

TEST(TaskScorer, TasksThatEndAboveTheLimitHaveNoDecreases) {
  TaskScoring scoring = all_estimands();
  const std::vector<double> values = Toy(scoring).values(6);
  const double loss = -values[1];  // after the only step
  scoring.diverged_loss = 1.001 * loss;
  EXPECT_EQ(Toy(scoring).values(6), values);
  scoring.diverged_loss = 0.999 * loss;
  Toy limited(scoring);
  const std::vector<double> left_out = limited.values(6);
  EXPECT_EQ(left_out[0], values[0]);
  for (size_t c = 1; c < left_out.size(); ++c) EXPECT_TRUE(std::isnan(left_out[c])) << c;
  EXPECT_EQ(limited.scorer().work().cells, 0);
}

// The mean over all donors: what many permutations approach, without their error.
TEST(TaskScorer, ExactModeIsTheLimitOfManyRepeats) {
  TaskScoring exact = all_estimands();
  exact.estimands = {Estimand::prior, Estimand::query};
  exact.exact = true;
  TaskScoring many = exact;
  many.exact = false;
  many.repeats = 4000;
  const auto limit = Toy(exact).over(1);
  const auto sampled = Toy(many).over(1);
  for (const auto& [key, values] : limit) {
    EXPECT_NEAR(sampled.at(key)[0], values[0], 0.01 * std::abs(values[0]) + 0.001);
  }
}

TEST(TaskScorer, RefusesWhatHasNoMeaning) {
  Ridge learner;
  const auto make = [&](const TaskScoring& scoring) {
    TaskScorer(scoring, learner, toy_spec(), {});
  };
  TaskScoring exact = all_estimands();
  exact.exact = true;
  EXPECT_NO_THROW(make(exact));
  learner.couples = true;
  EXPECT_THROW(make(exact), BadInput);
  learner.couples = false;
  exact.metrics = {metric_named("auroc")};
  EXPECT_THROW(make(exact), BadInput);
  TaskScoring no_means = all_estimands();
  no_means.means.clear();
  EXPECT_THROW(make(no_means), BadInput);
}

}  // namespace
}  // namespace outerloop::interp
