// From the values of all tasks to what is said of the groups.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "interp/run_classes.h"
#include "interp/run_samples.h"
#include "outerloop/base/counted.h"
#include "outerloop/base/error.h"

namespace outerloop::interp {
namespace {

constexpr uint64_t kSignVectors = 2000;  // where they are not all tried

size_t fewest_tasks(const std::vector<GroupSample>& groups) {
  size_t fewest = SIZE_MAX;
  for (const GroupSample& group : groups) fewest = std::min(fewest, group.means.size());
  return fewest;
}

class Fold {
 public:
  Fold(const RunProblem& problem, std::span<const DoneRound> rounds)
      : problem_(problem), rounds_(rounds) {
    for (const DoneRound& round : rounds) {
      for (size_t cell = 0; cell < round.results->cells(); ++cell) {
        const int64_t task = round.job->round().first + static_cast<int64_t>(cell);
        (round.is_finite(cell) ? tasks_ : left_out_).push_back(task);
      }
    }
  }

  RunImportance run() {
    require_finite_tasks(rounds_.front());
    const train::Setup& setup = problem_.setup;
    RunImportance result{.spec = problem_.spec,
                         .checkpoint_file = problem_.stored.checkpoint_file,
                         .content_hash = problem_.content_hash,
                         .dataset = setup.data.file.filename().string(),
                         .split_scheme = problem_.split_scheme(),
                         .algorithm = setup.config.learner.algorithm,
                         .family = std::string(config::word(setup.config.tasks.family)),
                         .ways = setup.test_tasks->shape().ways,
                         .support_rows = setup.test_shape.support_rows,
                         .query_rows = setup.test_shape.query_rows,
                         .steps = setup.test_steps,
                         .tasks = static_cast<int64_t>(tasks_.size()),
                         .left_out = left_out_,
                         .bins = problem_.places,
                         .regions = problem_.regions};
    if (setup.data.images) {
      const Shape& shape = setup.test_shape.example;
      result.image = {shape[0], shape[1], shape[2]};
    }
    result.spec.seed = static_cast<int64_t>(problem_.seed);
    for (const FeatureGroup& group : problem_.scoring.groups) result.groups.push_back(group.name);
    for (const int64_t task : tasks_) result.task_names.push_back(name_of_task(task));
    for (size_t m = 0; m < problem_.scoring.metrics.size(); ++m) {
      const Samples samples = samples_of(problem_, rounds_, m);
      result.metrics.push_back(find(m, samples));
      result.matrix.push_back(matrix(samples));
    }
    add_classes(problem_, rounds_.front(), result);
    return result;
  }

 private:
  std::string name_of_task(int64_t task) const {
    const data::TaskDescription about =
        problem_.setup.test_tasks->describe(problem_.key_of(static_cast<uint64_t>(task)));
    return about.group.empty() ? fmt::format("task {}", task) : about.group;
  }

  MetricFinding find(size_t metric, const Samples& samples) const {
    MetricFinding finding{.metric = std::string(problem_.scoring.metrics[metric].name)};
    for (int64_t step = 0; step <= problem_.setup.test_steps; ++step) {
      finding.baseline.push_back(baseline(metric, step));
    }
    for (const auto& [part, groups] : samples) {
      finding.estimands.push_back(
          summary(std::string(config::word(part.first)), part.second, groups));
    }
    for (auto& [name, groups] : derived(samples)) {
      finding.estimands.push_back(summary(name, problem_.setup.test_steps, groups));
    }
    return finding;
  }

  MeanInterval baseline(size_t metric, int64_t step) const {
    std::vector<double> values;
    for (const DoneRound& round : rounds_) {
      const auto& columns = round.job->task_columns();
      const auto column = std::ranges::find_if(columns, [&](const TaskColumn& c) {
        return c.is_baseline && c.metric == metric && c.step == step;
      });
      const auto place = static_cast<size_t>(column - columns.begin());
      for (size_t cell = 0; cell < round.results->cells(); ++cell) {
        if (round.is_finite(cell)) values.push_back(round.results->values(cell)[place]);
      }
    }
    return mean_interval(values);
  }

  // Combinations of the means over repeats, task by task.
  std::vector<std::pair<std::string, std::vector<GroupSample>>> derived(
      const Samples& samples) const {
    const int64_t last = problem_.setup.test_steps;
    const auto part = [&](Estimand estimand, int64_t step) -> const std::vector<GroupSample>* {
      const auto found = samples.find({estimand, step});
      return found == samples.end() ? nullptr : &found->second;
    };
    const auto* prior = part(Estimand::prior, 0);
    const auto* query = part(Estimand::query, last);
    const auto* support = part(Estimand::support, last);
    const auto* both = part(Estimand::support_query, last);
    std::vector<std::pair<std::string, std::vector<GroupSample>>> result;
    const auto add = [&](const char* name, auto combine) {
      std::vector<GroupSample> groups(query->size());
      for (size_t g = 0; g < groups.size(); ++g) {
        groups[g].certain = true;
        for (size_t task = 0; task < (*query)[g].means.size(); ++task) {
          groups[g].means.push_back(combine([&](const std::vector<GroupSample>* of) {
            groups[g].certain = groups[g].certain && (*of)[g].certain;
            return (*of)[g].means[task];
          }));
        }
      }
      result.emplace_back(name, std::move(groups));
    };
    if (prior != nullptr && query != nullptr) {
      add("adaptation", [&](auto of) { return of(query) - of(prior); });
    }
    if (query == nullptr || support == nullptr || both == nullptr) return result;
    add("interaction", [&](auto of) { return of(support) + of(query) - of(both); });
    add("shapley_support", [&](auto of) { return 0.5 * (of(support) + of(both) - of(query)); });
    add("shapley_query", [&](auto of) { return 0.5 * (of(query) + of(both) - of(support)); });
    return result;
  }

  EstimandFinding summary(const std::string& name, int64_t step,
                          const std::vector<GroupSample>& groups) const {
    std::vector<std::vector<double>> columns;
    size_t most = 0;
    for (const GroupSample& group : groups) {
      columns.push_back(group.means);
      most = std::max(most, group.means.size());
    }
    const JointBand band = joint_band(columns, SignFlips::of(most, kSignVectors, problem_.seed));
    // Joint p values from the tasks that all groups have.
    const size_t common = fewest_tasks(groups);
    std::vector<double> rows;
    for (size_t task = 0; task < common; ++task) {
      for (const auto& column : columns) rows.push_back(column[task]);
    }
    const SignFlips flips = SignFlips::of(common, kSignVectors, problem_.seed);
    const MaxT joint = max_t(TableView(rows, columns.size()), flips);
    EstimandFinding finding{.name = name, .step = step};
    for (size_t g = 0; g < groups.size(); ++g) {
      const SignFlipTest own =
          sign_flip_test(columns[g], SignFlips::of(columns[g].size(), kSignVectors, problem_.seed));
      const double room = problem_.spec.budget ? room_for_stopping(columns[g].size()) : 1;
      finding.groups.push_back(
          {.group = problem_.scoring.groups[g].name,
           .tasks = summarise_tasks(columns[g]),
           .task_count = static_cast<int64_t>(columns[g].size()),
           .band_half = room * band.half[g],
           .p_value = static_cast<double>(own.two_sided) / static_cast<double>(own.vectors),
           .p_joint = static_cast<double>(joint.exceeding[g]) / static_cast<double>(flips.count()),
           .repeat_error = groups[g].repeat_error()});
    }
    return finding;
  }

  std::vector<double> matrix(const Samples& samples) const {
    const auto found = samples.find({Estimand::query, problem_.setup.test_steps});
    if (found == samples.end()) return {};
    std::vector<double> values;
    for (size_t task = 0; task < fewest_tasks(found->second); ++task) {
      for (const GroupSample& group : found->second) values.push_back(group.means[task]);
    }
    return values;
  }

  const RunProblem& problem_;
  std::span<const DoneRound> rounds_;
  std::vector<int64_t> tasks_, left_out_;
};

}  // namespace

namespace {

// Of the first task whose values are not finite, the first of these: scores of the untouched task
// come before decreases, and early steps before late ones.
std::string first_trouble(const DoneRound& round) {
  size_t cell = 0;
  while (round.is_finite(cell)) ++cell;
  const auto values = round.results->values(cell);
  const auto bad = std::ranges::find_if(values, [](double v) { return !std::isfinite(v); });
  const TaskColumn& column = round.job->task_columns()[static_cast<size_t>(bad - values.begin())];
  const TaskScoring& scoring = round.job->problem()->scoring;
  const Metric& metric = scoring.metrics[column.metric];
  const auto task = static_cast<size_t>(round.job->round().first) + cell;
  if (!column.is_baseline) {
    return fmt::format(
        "{} of task {} with {} permuted ({}), though not of the task as it is; lower "
        "test.steps, or choose other --metrics",
        metric.name, task, scoring.groups[column.group].name, config::word(column.estimand));
  }
  if (column.step > 0) {
    return fmt::format(
        "{} of task {} after {}: the learner diverges there; lower test.steps, "
        "or train with a lower inner.rate",
        metric.name, task, counted(column.step, "step"));
  }
  const std::string remedy =
      metric.needs.empty()
          ? "the stored parameters do not fit these tasks; choose another --checkpoint"
          : fmt::format("it takes {}; raise test.queries, or choose other --metrics", metric.needs);
  return fmt::format("{} of task {} before any step: {}", metric.name, task, remedy);
}

}  // namespace

void require_finite_tasks(const DoneRound& first) {
  const size_t cells = first.results->cells();
  size_t finite = 0;
  for (size_t cell = 0; cell < cells; ++cell) finite += first.is_finite(cell) ? 1 : 0;
  if (finite >= 2) return;
  throw BadInput(fmt::format(
      "importance: {} of {} tasks gave numbers that are not finite, or a loss above "
      "test.diverged_loss = {}: {}",
      cells - finite, cells, first.job->problem()->scoring.diverged_loss, first_trouble(first)));
}

RunImportance fold_rounds(const RunProblem& problem, std::span<const DoneRound> rounds) {
  return Fold(problem, rounds).run();
}

RunImportance RunImportanceJob::fold(const farm::Results& results) const {
  OL_ASSERT(results.complete(), "a fold of results that are not complete");
  const DoneRound round{this, &results};
  return fold_rounds(*problem(), {&round, 1});
}

}  // namespace outerloop::interp
