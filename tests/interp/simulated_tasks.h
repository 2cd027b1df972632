#pragma once
// Tasks with known means, and a caller of the budget's rule.

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "outerloop/base/philox.h"
#include "outerloop/interp/budget.h"

namespace outerloop::interp {

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
inline Spending spend(const World& world, const BudgetRule& rule, const TaskCosts& costs) {
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

}  // namespace outerloop::interp
