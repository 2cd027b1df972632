#include "outerloop/interp/budget.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "outerloop/base/error.h"
#include "outerloop/base/philox.h"

namespace outerloop::interp {
namespace {

using Numbers = std::vector<double>;

// Tasks whose values of a group are mean + task sd * N + repeat sd * N, from a stream of their own.
struct Group {
  double mean = 0;
  double task = 1;
  double repeat = 1;
};

class World {
 public:
  World(std::vector<Group> groups, uint64_t seed) : groups_(std::move(groups)), seed_(seed) {}

  double value(size_t g, int64_t task, int64_t repeat) const {
    const auto normal = [&](int64_t which) {
      return Philox({.seed = seed_,
                     .iteration = static_cast<uint64_t>(task),
                     .slot = static_cast<uint32_t>(which * 64 + static_cast<int64_t>(g))})
          .normal();
    };
    const Group& group = groups_[g];
    return group.mean + group.task * normal(0) + group.repeat * normal(repeat + 1);
  }
  size_t groups() const { return groups_.size(); }
  double mean(size_t g) const { return groups_[g].mean; }

 private:
  std::vector<Group> groups_;
  uint64_t seed_;
};

struct Spending {
  BudgetRound last;
  BudgetSpent spent;
  std::vector<GroupValues> values;
};

// What a caller of the rule does.
Spending spend(const World& world, const BudgetRule& rule, const TaskCosts& costs) {
  Spending result;
  result.values.resize(world.groups());
  std::vector<bool> open(world.groups(), true);
  int64_t done = 0;
  const auto score = [&](int64_t tasks, int64_t repeats, bool pilot) {
    const auto count = static_cast<size_t>(std::ranges::count(open, true));
    result.spent.add(costs, tasks, repeats, count);
    for (size_t g = 0; g < world.groups(); ++g) {
      for (int64_t task = done; open[g] && task < done + tasks; ++task) {
        double sum = 0;
        for (int64_t k = 0; k < repeats; ++k) {
          const double value = world.value(g, task, k);
          sum += value;
          if (pilot) result.values[g].pilot.push_back(value);
        }
        result.values[g].task_means.push_back(sum / static_cast<double>(repeats));
      }
    }
    done += tasks;
  };
  score(rule.pilot_tasks, 2, true);
  result.last = plan_round(rule, costs, result.values, {});
  while (result.last.tasks > 0) {
    open = result.last.open;
    score(result.last.tasks, result.last.repeats, false);
    result.last = plan_round(rule, costs, result.values, open);
  }
  return result;
}

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
          return split.of_mean(tasks, r);
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
  EXPECT_EQ(spending.last.band.half(2), 0);
  EXPECT_GT(tasks(0), 64u);
  // Twice the deviation takes four times the tasks, within the growth from round to round.
  EXPECT_NEAR(static_cast<double>(tasks(3)) / static_cast<double>(tasks(0)), 4, 1.5);
  for (size_t g = 0; g < 4; ++g) {
    EXPECT_LE(spending.last.band.half(g), rule.half_width) << g;
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

TEST(Budget, CountsWhatItSpent) {
  BudgetSpent spent;
  spent.add({.per_task = 10, .per_repeat = 2}, 64, 2, 3);
  spent.add({.per_task = 10, .per_repeat = 2}, 36, 1, 2);
  EXPECT_EQ(spent.rounds, 2);
  EXPECT_EQ(spent.tasks, 100);
  EXPECT_EQ(spent.evaluations, 64 * 2 * 3 + 36 * 2);
  EXPECT_EQ(spent.cost, 1000 + 2.0 * (64 * 2 * 3 + 36 * 2));
}

// All true means lie within their final bands in 95 % ± 1.5 of the runs, though groups stop at
// times that their own values decide.
TEST(Budget, CoversAllMeansTogether) {
  constexpr int kRuns = 2000;
  const BudgetRule rule{.half_width = 0.2, .sign_vectors = 200};
  int covered = 0;
  for (int run = 0; run < kRuns; ++run) {
    const World world({{1, 1, 0.5}, {0.2, 0.8, 1}, {0, 1.3, 0.3}},
                      1000 + static_cast<uint64_t>(run));
    const Spending spending = spend(world, rule, {.per_task = 2});
    bool all = true;
    for (size_t g = 0; g < world.groups(); ++g) {
      const double distance = std::abs(spending.last.band.mean[g] - world.mean(g));
      all = all && distance <= spending.last.band.half(g);
    }
    covered += all ? 1 : 0;
  }
  EXPECT_NEAR(covered / double{kRuns}, 0.95, 0.015);
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
