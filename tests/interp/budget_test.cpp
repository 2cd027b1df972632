#include "outerloop/interp/budget.h"

#include <gtest/gtest.h>

#include <cmath>

#include "interp/simulated_tasks.h"
#include "outerloop/base/error.h"

namespace outerloop::interp {
namespace {

// By trying all numbers of repeats at equal cost.
TEST(BestRepeats, LeaveTheLeastVarianceForTheirCost) {
  for (const double repeat : {0.01, 0.5, 1.0, 9.0, 200.0}) {
    for (const double per_task : {0.0, 1.0, 5.0, 70.0}) {
      for (const size_t groups : {1, 4}) {
        const VarianceSplit split{.between_tasks = 1, .between_repeats = repeat};
        const TaskCosts costs{.per_task = per_task, .per_repeat = 0.5};
        const auto variance = [&](int64_t repeats) {
          const auto r = static_cast<double>(repeats);
          const double tasks = 1000 / (per_task + 0.5 * r * static_cast<double>(groups));
          return (split.between_tasks + split.between_repeats / r) / tasks;
        };
        const int64_t best = best_repeats(split, costs, groups, 16);
        for (int64_t other = 1; other <= 16; ++other) {
          EXPECT_LE(variance(best), variance(other) * (1 + 1e-12)) << repeat << " " << per_task;
        }
      }
    }
  }
}

TEST(BestRepeats, AreOneWithoutRandomErrorAndAllWithoutAnyOther) {
  EXPECT_EQ(best_repeats({.between_tasks = 1, .between_repeats = 0}, {.per_task = 9}, 1, 16), 1);
  EXPECT_EQ(best_repeats({.between_tasks = 0, .between_repeats = 1}, {.per_task = 9}, 1, 16), 16);
  // Tasks that cost nothing are as good as repeats.
  EXPECT_EQ(best_repeats({.between_tasks = 0, .between_repeats = 1}, {.per_task = 0}, 1, 16), 1);
}

TEST(Budget, StopsGroupsWhereTheirBandIsNarrowEnough) {
  const World world({{1, 1, 0.5}, {0.1, 0.25, 0.1}, {0, 0, 0}, {2, 2, 1}}, 5);
  const BudgetRule rule{.half_width = 0.15, .sign_vectors = 400};
  const Spending spending = spend(world, rule, {.per_task = 5});
  EXPECT_EQ(spending.last.open, std::vector<bool>(4, false));
  const auto tasks = [&](size_t g) { return spending.values[g].task_means.size(); };
  EXPECT_EQ(tasks(1), 64u);  // sure after the pilot
  EXPECT_EQ(tasks(2), 64u);  // an unused feature has no variation at all
  EXPECT_EQ(spending.last.band.half[2], 0);
  EXPECT_GT(tasks(0), 64u);
  // Twice the deviation takes four times the tasks, within the growth from round to round.
  EXPECT_NEAR(static_cast<double>(tasks(3)) / static_cast<double>(tasks(0)), 4, 1.5);
  for (size_t g = 0; g < 4; ++g) {
    // The band of a group that stopped moves a little with the critical value of all.
    EXPECT_LE(spending.last.band.half[g], 1.02 * rule.half_width) << g;
    EXPECT_NEAR(spending.last.band.mean[g], world.mean(g), 1.5 * rule.half_width) << g;
  }
}

TEST(Budget, GivesTasksMoreRepeatsWhereAdaptingIsDear) {
  const World world({{1, 0.2, 2}}, 5);
  const BudgetRule rule{.half_width = 0.1, .sign_vectors = 200};
  EXPECT_EQ(spend(world, rule, {.per_task = 0}).last.open[0], false);
  const auto repeats = [&](double per_task) {
    const Spending pilot = spend(world, {.half_width = 0.1, .most_tasks = 64}, {});
    return plan_round(rule, {.per_task = per_task}, pilot.values, {}).repeats;
  };
  EXPECT_EQ(repeats(0), 1);
  EXPECT_GT(repeats(20), 8);
}

TEST(Budget, EndsWithWhatItMaySpendAndSaysSo) {
  const World world({{1, 3, 1}, {1, 0.1, 0.1}}, 5);
  const BudgetRule rule{.half_width = 0.1, .most_tasks = 200, .sign_vectors = 200};
  const Spending spending = spend(world, rule, {.per_task = 5});
  EXPECT_EQ(spending.values[0].task_means.size(), 200u);
  EXPECT_EQ(spending.last.open, (std::vector<bool>{true, false}));
  const std::string text =
      describe(spending.spent, rule, spending.last, std::vector<std::string>{"season", "plane"});
  EXPECT_NE(text.find("Spent 200 tasks in "), text.npos) << text;
  EXPECT_NE(text.find("200 tasks are all that the budget allows"), text.npos) << text;
  EXPECT_NE(text.find("season (±0."), text.npos) << text;
  EXPECT_EQ(text.find("plane"), text.npos) << text;
}

TEST(Budget, SaysWhereTasksAreTooFewForABand) {
  const World world({{1, 3, 1}, {1, 0.1, 0.1}}, 5);
  const BudgetRule few{.half_width = 0.1, .pilot_tasks = 3, .most_tasks = 3};
  const Spending spending = spend(world, few, {.per_task = 5});
  EXPECT_EQ(spending.last.open, std::vector<bool>(2, true));
  const std::string text =
      describe(spending.spent, few, spending.last, std::vector<std::string>{"season", "plane"});
  EXPECT_NE(text.find("Spent 3 tasks in 1 round and "), text.npos) << text;
  EXPECT_NE(text.find("season (too few for a band)"), text.npos) << text;
  // More tasks are asked for, until there is one.
  const BudgetRule more{.half_width = 0.1, .pilot_tasks = 3, .most_tasks = 1000};
  EXPECT_EQ(plan_round(more, {.per_task = 5}, spending.values, {}).tasks, 3);
}

TEST(Budget, CountsWhatItSpent) {
  BudgetSpent spent;
  spent.add({.per_task = 10, .per_repeat = 2}, 64, 2, 3);
  spent.add({.per_task = 10, .per_repeat = 2}, 36, 1, 2);
  EXPECT_EQ(spent.rounds, 2);
  EXPECT_EQ(spent.tasks, 100);
  EXPECT_EQ(spent.evaluations, 64 * 2 * 3 + 36 * 2);
  EXPECT_EQ(spent.cost, 1000 + 2.0 * (64 * 2 * 3 + 36 * 2));
}

TEST(Budget, RefusesRulesThatCannotBeKept) {
  const std::vector<GroupValues> values = {{{1, 2}, {1, 1, 2, 2}}};
  EXPECT_NO_THROW(plan_round({}, {}, values, {}));
  EXPECT_THROW(plan_round({.half_width = 0}, {}, values, {}), BadInput);
  EXPECT_THROW(plan_round({.pilot_tasks = 1}, {}, values, {}), BadInput);
  EXPECT_THROW(plan_round({.pilot_tasks = 64, .most_tasks = 10}, {}, values, {}), BadInput);
  EXPECT_THROW(plan_round({}, {}, std::vector<GroupValues>{{{1}, {1, 1}}}, {}), BadInput);
}

}  // namespace
}  // namespace outerloop::interp
