// Intervals and bands hold the truth as often as they say: 95 % ± 1.5 of 2,000 simulations or more.

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "interp/simulated_tasks.h"
#include "outerloop/base/averages.h"
#include "outerloop/interp/statistics.h"

namespace outerloop::interp {
namespace {

using Numbers = std::vector<double>;

// 95 % ± 1.5 of intervals over few tasks hold the true mean.
TEST(MeanInterval, CoversTheMeanAsOftenAsItSays) {
  std::mt19937 generator(1);
  std::normal_distribution<double> normal(0.3, 2);
  constexpr int kDraws = 4000;
  int covered = 0;
  for (int draw = 0; draw < kDraws; ++draw) {
    Numbers values(6);
    for (double& value : values) value = normal(generator);
    const auto interval = mean_interval(values);
    covered += interval.lower <= 0.3 && 0.3 <= interval.upper ? 1 : 0;
  }
  EXPECT_NEAR(covered / double{kDraws}, 0.95, 0.015);
}

// Property 7, second part: the error of a mean is that of its tasks, and repeats do not
// replace them. Over the tasks' means an interval holds the truth as often as it says, however many
// repeats each has; over all values as if they were tasks it does not.
TEST(MeanInterval, IsOverTasksNotOverRepeats) {
  constexpr int kDraws = 4000;
  constexpr int64_t kTasks = 6;
  for (const int64_t repeats : {1, 20}) {
    int covered = 0;
    int covered_by_values = 0;
    for (int draw = 0; draw < kDraws; ++draw) {
      const World world({{.mean = 0.3, .task = 1, .repeat = 1}}, static_cast<uint64_t>(draw));
      Numbers values;
      Numbers means;
      for (int64_t task = 0; task < kTasks; ++task) {
        double sum = 0;
        for (int64_t k = 0; k < repeats; ++k) sum += values.emplace_back(world.value(0, task, k));
        means.push_back(sum / static_cast<double>(repeats));
      }
      const auto holds = [](const MeanInterval& interval) {
        return interval.lower <= 0.3 && 0.3 <= interval.upper ? 1 : 0;
      };
      covered += holds(mean_interval(means));
      covered_by_values += holds(mean_interval(values));
    }
    EXPECT_NEAR(covered / double{kDraws}, 0.95, 0.015) << repeats;
    if (repeats == 1) continue;
    EXPECT_LT(covered_by_values / double{kDraws}, 0.7);
  }
}

// The joint band holds all true means in 95 % ± 1.5 of draws, given tasks enough.
TEST(MaxT, BandCoversAllMeansTogether) {
  std::mt19937 generator(2);
  std::normal_distribution<double> normal;
  constexpr int kDraws = 2000;
  constexpr size_t kTasks = 150;
  const auto flips = SignFlips::sampled(kTasks, 200, 1);
  int covered = 0;
  for (int draw = 0; draw < kDraws; ++draw) {
    Numbers x(kTasks * 3);
    for (double& value : x) value = normal(generator);
    const MaxT result = max_t(TableView(x, 3), flips);
    bool all = true;
    for (size_t j = 0; j < 3; ++j) all = all && result.lower[j] <= 0 && 0 <= result.upper[j];
    covered += all ? 1 : 0;
  }
  EXPECT_NEAR(covered / double{kDraws}, 0.95, 0.015);
}

// A joint band over few tasks.
TEST(JointBand, CoversAllMeansTogether) {
  std::mt19937 generator(3);
  std::normal_distribution<double> normal;
  constexpr int kDraws = 4000;
  for (const size_t tasks : {6, 8, 12, 40}) {
    const auto flips = SignFlips::of(tasks, 400, 1);
    int covered = 0;
    for (int draw = 0; draw < kDraws; ++draw) {
      std::vector<Numbers> columns(3, Numbers(tasks));
      for (Numbers& column : columns) {
        for (double& value : column) value = normal(generator);
      }
      const JointBand band = joint_band(columns, flips);
      bool all = true;
      for (size_t j = 0; j < 3; ++j) all = all && std::abs(band.mean[j]) <= band.half[j];
      covered += all ? 1 : 0;
    }
    EXPECT_NEAR(covered / double{kDraws}, 0.95, 0.015) << tasks;
  }
}

// All true means lie within their final bands in 95 % ± 1.5 of the runs, though groups stop at
// times that their own values decide, most of them soon after the pilot or late.
TEST(Budget, CoversAllMeansTogether) {
  constexpr int kRuns = 2000;
  for (const double half_width : {0.3, 0.2}) {
    const BudgetRule rule{.half_width = half_width, .sign_vectors = 400};
    int covered = 0;
    for (int run = 0; run < kRuns; ++run) {
      const World world({{1, 1, 0.5}, {0.2, 0.8, 1}, {0, 1.3, 0.3}}, static_cast<uint64_t>(run));
      const Spending spending = spend(world, rule, {.per_task = 2});
      bool all = true;
      for (size_t g = 0; g < world.groups(); ++g) {
        const double distance = std::abs(spending.last.band.mean[g] - world.mean(g));
        all = all && distance <= spending.last.band.half[g];
      }
      covered += all ? 1 : 0;
    }
    EXPECT_NEAR(covered / double{kRuns}, 0.95, 0.015) << half_width;
  }
}

}  // namespace
}  // namespace outerloop::interp
