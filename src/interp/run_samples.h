#pragma once
// The decreases of a run's rounds, by estimand, step and group.

#include <map>
#include <span>
#include <utility>
#include <vector>

#include "interp/run_importance_impl.h"

namespace outerloop::interp {

// One group's. Rounds may give it other tasks and repeats than other groups; its tasks are always
// the first ones.
struct GroupSample {
  std::vector<double> means;  // of each task, over its repeats
  double squares = 0;         // of repeats around their task's mean
  double freedom = 0;         // of `squares`
  double shares = 0;          // 1 / repeats, summed over tasks
  std::vector<double> pilot;  // (tasks of the first round, repeats)
  size_t pilot_repeats = 1;
  bool certain = false;  // there is no chance in it

  void add_task(std::span<const double> repeats);
  // Standard error of the mean over tasks that the draws alone would leave; not a number where one
  // draw of each tells nothing of it.
  double repeat_error() const;
};

using PartKey = std::pair<Estimand, int64_t>;                 // with its step
using Samples = std::map<PartKey, std::vector<GroupSample>>;  // by group of the problem

// Of one metric, without tasks whose values are not finite.
Samples samples_of(const RunProblem& problem, std::span<const DoneRound> rounds, size_t metric);

}  // namespace outerloop::interp
