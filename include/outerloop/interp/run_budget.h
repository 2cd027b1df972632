#pragma once
// `budget: auto` for a run: rounds of tasks and repeats, each a job of the farm, until every
// importance is known well enough or the tasks are used up.
//
// The first metric decides, by a joint band over all groups of all estimands after the last step. A
// group goes on while one of its estimands is not known well enough. What is done depends on values
// and counted FLOPs alone, so ranks, threads and restarts do not change it.

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "outerloop/interp/run_importance.h"

namespace outerloop::interp {

struct DoneRound;

class RunBudget {
 public:
  // spec.budget is there. Throws BadInput.
  explicit RunBudget(const RunImportanceSpec& spec);
  ~RunBudget();

  RunImportanceJob& round() const { return *rounds_.back(); }
  size_t number() const { return rounds_.size(); }  // of the round, from 1

  // Where the results are: takes the round's and says what is next, for begin() on all ranks.
  std::vector<int64_t> plan(farm::Results results);
  size_t plan_size() const;
  // False: nothing is left to do.
  bool begin(std::span<const int64_t> plan);

  // Where the results are, at the end.
  RunImportance fold() const;

 private:
  struct Column;  // a group by an estimand
  std::vector<DoneRound> done() const;
  std::vector<Column> columns() const;

  std::vector<std::unique_ptr<RunImportanceJob>> rounds_;
  std::deque<farm::Results> results_;
  BudgetRule rule_;
  BudgetRound last_;
  BudgetSpent spent_;
  std::vector<std::string> names_;  // of columns
};

}  // namespace outerloop::interp
