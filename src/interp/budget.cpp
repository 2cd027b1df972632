#include "outerloop/interp/budget.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "outerloop/base/counted.h"
#include "outerloop/base/error.h"

namespace outerloop::interp {

namespace {

// A group stops sooner where its values happen to vary little, which takes from the coverage of its
// band (Woodroofe 1977). This share of a task's variance more, found by simulation, puts it back.
constexpr double kForStopping = 4;
constexpr double kLeastGrowth = 1.25;  // of the tasks from round to round: keeps rounds few

void check_rule(const BudgetRule& rule) {
  const bool sound = rule.half_width > 0 && std::isfinite(rule.half_width) && rule.level > 0 &&
                     rule.level < 1 && rule.pilot_tasks >= 2 &&
                     rule.most_tasks >= rule.pilot_tasks && rule.most_repeats >= 1 &&
                     rule.sign_vectors >= 1;
  if (sound) return;
  throw BadInput(fmt::format(
      "a budget needs a half width above 0, a level in (0, 1), two pilot tasks or more and at "
      "least as many in all, got half width {}, level {}, {} pilot tasks, {} in all",
      rule.half_width, rule.level, rule.pilot_tasks, rule.most_tasks));
}

JointBand band_of(const BudgetRule& rule, std::span<const GroupValues> groups) {
  std::vector<std::vector<double>> columns;
  size_t longest = 0;
  for (const GroupValues& group : groups) {
    columns.push_back(group.task_means);
    longest = std::max(longest, group.task_means.size());
  }
  JointBand band =
      joint_band(columns, SignFlips::of(longest, rule.sign_vectors, rule.seed), rule.level);
  for (size_t g = 0; g < groups.size(); ++g) {
    band.half[g] *= room_for_stopping(columns[g].size());
  }
  return band;
}

// Tasks at which the group's band is expected to be narrow enough: its width falls with their root.
double tasks_needed(const BudgetRule& rule, const JointBand& band, const GroupValues& group,
                    size_t g) {
  if (!std::isfinite(band.half[g])) return static_cast<double>(fewest_tasks_of_band(rule.level));
  const double times = band.half[g] / rule.half_width;
  return std::ceil(static_cast<double>(group.task_means.size()) * times * times);
}

}  // namespace

double room_for_stopping(size_t tasks) {
  return std::sqrt(1 + kForStopping / static_cast<double>(tasks));
}

int64_t best_repeats(const VarianceSplit& split, const TaskCosts& costs, size_t groups,
                     int64_t most) {
  const double of_repeat = static_cast<double>(groups) * costs.per_repeat;
  const auto price = [&](double repeats) {
    return (split.between_tasks + split.between_repeats / repeats) *
           (costs.per_task + of_repeat * repeats);
  };
  if (split.between_repeats == 0) return 1;
  const double best =
      std::sqrt(split.between_repeats / split.between_tasks * costs.per_task / of_repeat);
  if (!(best < static_cast<double>(most))) return price(1) <= price(most) ? 1 : most;
  const double below = std::max(1.0, std::floor(best));
  return static_cast<int64_t>(price(below) <= price(below + 1) ? below : below + 1);
}

BudgetRound plan_round(const BudgetRule& rule, const TaskCosts& costs,
                       std::span<const GroupValues> groups, const std::vector<bool>& was_open) {
  check_rule(rule);
  BudgetRound round{.band = band_of(rule, groups)};
  int64_t done = 0;
  double needed = INFINITY;  // by the open group that is nearest to its aim
  double widest = 0;
  size_t hardest = 0;
  for (size_t g = 0; g < groups.size(); ++g) {
    const double half = round.band.half[g];
    round.open.push_back((was_open.empty() || was_open[g]) && !(half <= rule.half_width));
    done = std::max(done, static_cast<int64_t>(groups[g].task_means.size()));
    if (!round.open[g]) continue;
    needed = std::min(needed, tasks_needed(rule, round.band, groups[g], g));
    if (half > widest) hardest = g;
    widest = std::max(widest, half);
  }
  const auto open = static_cast<size_t>(std::ranges::count(round.open, true));
  if (open == 0 || done >= rule.most_tasks) return round;
  const double least = std::ceil(kLeastGrowth * static_cast<double>(done));
  const double next = std::min(std::max(needed, least), static_cast<double>(rule.most_tasks));
  round.tasks = static_cast<int64_t>(next) - done;
  round.repeats =
      best_repeats(split_variance(groups[hardest].pilot, 2), costs, open, rule.most_repeats);
  return round;
}

void BudgetSpent::add(const TaskCosts& costs, int64_t new_tasks, int64_t repeats,
                      size_t open_groups) {
  const int64_t scored = new_tasks * repeats * static_cast<int64_t>(open_groups);
  rounds += 1;
  tasks += new_tasks;
  evaluations += scored;
  cost += costs.per_task * static_cast<double>(new_tasks) +
          costs.per_repeat * static_cast<double>(scored);
}

std::string describe(const BudgetSpent& spent, const BudgetRule& rule, const BudgetRound& last,
                     std::span<const std::string> names) {
  std::string text = fmt::format(
      "Spent {} tasks in {} and {} scores of a permuted group, to know every importance to "
      "±{:.3g} together at {:g} %.",
      spent.tasks, counted(spent.rounds, "round"), spent.evaluations, rule.half_width,
      100 * rule.level);
  std::vector<std::string> wide;
  for (size_t g = 0; g < names.size(); ++g) {
    if (!last.open[g]) continue;
    const double half = last.band.half[g];
    const bool has_band = std::isfinite(half);
    wide.push_back(fmt::format("{} ({})", names[g],
                               has_band ? fmt::format("±{:.3g}", half) : "too few for a band"));
  }
  if (wide.empty()) return text;
  return text + fmt::format(" {} tasks are all that the budget allows, and not known so well: {}.",
                            rule.most_tasks, fmt::join(wide, ", "));
}

}  // namespace outerloop::interp
