#include "outerloop/interp/run_budget.h"

#include <fmt/format.h>

#include <algorithm>

#include "interp/run_samples.h"
#include "outerloop/base/error.h"

namespace outerloop::interp {
namespace {

BudgetRule rule_of(const RunProblem& problem) {
  BudgetRule rule = *problem.spec.budget;
  rule.most_tasks = problem.tasks;
  rule.pilot_tasks = std::min(rule.pilot_tasks, problem.tasks);
  rule.seed = problem.seed;
  return rule;
}

// Two values a task, also where there is no chance in it.
std::vector<double> pilot_of(const GroupSample& group) {
  if (group.pilot_repeats == 2) return group.pilot;
  std::vector<double> twice;
  for (const double value : group.pilot) twice.insert(twice.end(), 2, value);
  return twice;
}

}  // namespace

struct RunBudget::Column {
  size_t group = 0;
  std::string name;
  GroupValues values;
};

RunBudget::RunBudget(const RunImportanceSpec& spec) {
  rounds_.push_back(std::make_unique<RunImportanceJob>(spec));
  rule_ = rule_of(*round().problem());
}
RunBudget::~RunBudget() = default;

std::vector<DoneRound> RunBudget::done() const {
  std::vector<DoneRound> all;
  for (size_t i = 0; i < results_.size(); ++i) all.push_back({rounds_[i].get(), &results_[i]});
  return all;
}

std::vector<RunBudget::Column> RunBudget::columns() const {
  const RunProblem& problem = *rounds_.front()->problem();
  std::vector<Column> columns;
  for (const auto& [part, groups] : samples_of(problem, done(), 0)) {
    const bool is_curve = part.first == Estimand::query && part.second != problem.setup.test_steps;
    if (is_curve) continue;
    for (size_t g = 0; g < groups.size(); ++g) {
      columns.push_back(
          {g,
           fmt::format("{} of {}", config::word(part.first), problem.scoring.groups[g].name),
           {groups[g].means, pilot_of(groups[g])}});
    }
  }
  return columns;
}

size_t RunBudget::plan_size() const {
  return 2 + rounds_.front()->problem()->scoring.groups.size();
}

std::vector<int64_t> RunBudget::plan(farm::Results results) {
  OL_ASSERT(results.complete(), "a plan from results that are not complete");
  results_.push_back(std::move(results));
  require_finite_tasks(done().front());
  const ImportanceRound& before = round().round();
  const TaskCosts costs = rounds_.front()->costs();
  spent_.add(costs, before.tasks, before.repeats, before.groups.size());
  const std::vector<Column> all = columns();
  std::vector<GroupValues> values;
  names_.clear();
  for (const Column& column : all) {
    values.push_back(column.values);
    names_.push_back(column.name);
  }
  const auto groups = static_cast<double>(round().problem()->scoring.groups.size());
  const TaskCosts of_column{costs.per_task,
                            costs.per_repeat * groups / static_cast<double>(all.size())};
  last_ = plan_round(rule_, of_column, values, last_.open);
  std::vector<int64_t> plan(plan_size(), 0);
  plan[0] = std::min(last_.tasks, rule_.most_tasks - spent_.tasks);
  plan[1] = last_.repeats;
  for (size_t c = 0; c < all.size(); ++c) {
    if (last_.open[c]) plan[2 + all[c].group] = 1;
  }
  return plan;
}

bool RunBudget::begin(std::span<const int64_t> plan) {
  if (plan[0] <= 0) return false;
  const ImportanceRound& before = round().round();
  ImportanceRound next{.first = before.first + before.tasks, .tasks = plan[0], .repeats = plan[1]};
  for (size_t g = 0; 2 + g < plan.size(); ++g) {
    if (plan[2 + g] != 0) next.groups.push_back(g);
  }
  rounds_.push_back(std::make_unique<RunImportanceJob>(round().problem(), next));
  return true;
}

RunImportance RunBudget::fold() const {
  RunImportance result = fold_rounds(*rounds_.front()->problem(), done());
  RunBudgetSpent& budget = result.budget.emplace();
  budget.spent = spent_;
  for (const auto& round : rounds_) budget.rounds.push_back(round->round());
  for (size_t c = 0; c < names_.size(); ++c) {
    if (last_.open[c]) budget.wide.push_back(names_[c]);
  }
  budget.text = fmt::format("{} Counted: {:.3g} GFLOP. The metric {} decides.",
                            describe(spent_, rule_, last_, names_), spent_.cost * 1e-9,
                            result.metrics.front().metric);
  return result;
}

}  // namespace outerloop::interp
