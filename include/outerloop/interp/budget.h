#pragma once
// `budget: auto`: how many tasks and repeats importance is worth, decided from what was measured.
//
// Rounds. The first scores a pilot of tasks with two repeats. After each round a joint band over
// all groups is drawn; a group whose band is narrow enough stops. For the others the variance split
// and the costs say how many repeats a task is best given, and how many tasks the widest needs.
// Groups that stopped keep their numbers of tasks.
//
// Costs are counted, not timed: all is a function of values and counts, never of the clock, so that
// the same budget is spent on any machine and after any restart.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "outerloop/interp/statistics.h"
#include "outerloop/interp/task_summary.h"

namespace outerloop::interp {

// Counted work, in any unit (FLOPs, rows). What is not counted, such as drawing the tasks that give
// their rows to `across`, costs nothing here.
struct TaskCosts {
  double per_task = 0;    // adaptation and baseline
  double per_repeat = 1;  // of one group
};

// Repeats of a task that give the least variance for their cost: Var = (task + repeat / R) / T at
// cost T (per_task + groups R per_repeat), so R = sqrt(repeat / task * per_task / (groups
// per_repeat)), the better of its whole neighbours, from 1 to `most`.
int64_t best_repeats(const VarianceSplit& split, const TaskCosts& costs, size_t groups,
                     int64_t most);

struct BudgetRule {
  double half_width = 0.01;  // of the joint band at which a group stops
  double level = 0.95;
  int64_t pilot_tasks = 64;
  int64_t most_tasks = 10'000;
  int64_t most_repeats = 16;
  uint64_t sign_vectors = 1000;
  uint64_t seed = 0;
};

// Values of one group: of its tasks 0 … n-1, all in the same repeats or each in its own.
struct GroupValues {
  std::vector<double> task_means;
  std::vector<double> pilot;  // (pilot tasks, 2): the values of each repeat
};

struct BudgetRound {
  JointBand band;          // over all groups, with room for the stopping
  std::vector<bool> open;  // per group: not narrow enough yet
  // What to do next; nothing where no group is open or most_tasks are done.
  int64_t repeats = 0;  // of each new task
  int64_t tasks = 0;    // new ones
};

// By how much a band must be wider since it was stopped where it was narrow.
double room_for_stopping(size_t tasks);

// After the pilot or a later round. `was_open`: the last round's, empty after the pilot. Throws
// BadInput when the rule is none or values are missing.
BudgetRound plan_round(const BudgetRule& rule, const TaskCosts& costs,
                       std::span<const GroupValues> groups, const std::vector<bool>& was_open);

// What was spent: counted as rounds are done.
struct BudgetSpent {
  int64_t rounds = 0;
  int64_t tasks = 0;
  int64_t evaluations = 0;  // of a group in a repeat of a task
  double cost = 0;

  void add(const TaskCosts& costs, int64_t new_tasks, int64_t repeats, size_t open_groups);
};

// In plain words: what was spent, and which groups are still wider than they should be.
std::string describe(const BudgetSpent& spent, const BudgetRule& rule, const BudgetRound& last,
                     std::span<const std::string> names);

}  // namespace outerloop::interp
