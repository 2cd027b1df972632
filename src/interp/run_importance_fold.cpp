// From the values of all tasks to what is said of the groups.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "interp/run_importance_impl.h"
#include "outerloop/base/error.h"

namespace outerloop::interp {
namespace {

constexpr uint64_t kSignVectors = 2000;

// One value per (task, group, repeat).
struct Sample {
  size_t groups = 0;
  size_t repeats = 1;
  std::vector<double> values;

  size_t tasks() const { return values.size() / (groups * repeats); }
  double mean(size_t task, size_t group) const {
    double sum = 0;
    for (size_t r = 0; r < repeats; ++r) sum += values[(task * groups + group) * repeats + r];
    return sum / static_cast<double>(repeats);
  }
  std::vector<double> means(size_t group) const {
    std::vector<double> result;
    for (size_t task = 0; task < tasks(); ++task) result.push_back(mean(task, group));
    return result;
  }
};

class Fold {
 public:
  Fold(const RunImportanceJob::Impl& job, const farm::Results& results)
      : job_(job), results_(results) {
    for (size_t cell = 0; cell < results.cells(); ++cell) {
      const auto values = results.values(cell);
      const bool finite = std::ranges::all_of(values, [](double v) { return std::isfinite(v); });
      (finite ? tasks_ : left_out_).push_back(static_cast<int64_t>(cell));
    }
  }

  RunImportance run() {
    if (tasks_.size() < 2) {
      throw BadInput(
          fmt::format("importance: {} of {} tasks gave numbers that are not finite: the learner "
                      "diverges on them; lower inner.rate or the steps",
                      left_out_.size(), results_.cells()));
    }
    const train::Setup& setup = job_.setup;
    RunImportance result{.spec = job_.spec,
                         .checkpoint_file = job_.stored.checkpoint_file,
                         .content_hash = job_.content_hash,
                         .algorithm = setup.config.learner.algorithm,
                         .family = std::string(config::word(setup.config.tasks.family)),
                         .ways = setup.test_tasks->shape().ways,
                         .support_rows = setup.test_shape.support_rows,
                         .query_rows = setup.test_shape.query_rows,
                         .steps = setup.test_steps,
                         .tasks = static_cast<int64_t>(tasks_.size()),
                         .left_out = left_out_,
                         .grid = job_.grid};
    result.spec.seed = static_cast<int64_t>(job_.seed);
    for (const FeatureGroup& group : job_.scoring.groups) result.groups.push_back(group.name);
    for (const int64_t task : tasks_) result.task_names.push_back(name_of_task(task));
    for (size_t m = 0; m < job_.scoring.metrics.size(); ++m) {
      result.metrics.push_back(find(m));
      result.matrix.push_back(matrix(m));
    }
    return result;
  }

 private:
  using Part = std::pair<Estimand, int64_t>;  // with its step

  std::string name_of_task(int64_t task) const {
    const data::TaskDescription about = job_.setup.test_tasks->describe(
        {.seed = job_.seed, .split = job_.spec.split, .slot = static_cast<uint32_t>(task)});
    return about.group.empty() ? fmt::format("task {}", task) : about.group;
  }

  // The values of a metric by part, and the baselines.
  std::map<Part, Sample> samples(size_t metric) const {
    std::map<Part, Sample> parts;
    for (const int64_t task : tasks_) {
      const auto values = results_.values(static_cast<size_t>(task));
      for (size_t c = 0; c < job_.columns.size(); ++c) {
        const TaskColumn& column = job_.columns[c];
        if (column.metric != metric || column.is_baseline) continue;
        Sample& sample = parts[{column.estimand, column.step}];
        sample.groups = job_.scoring.groups.size();
        sample.repeats = std::max(sample.repeats, static_cast<size_t>(column.repeat) + 1);
        sample.values.push_back(values[c]);
      }
    }
    return parts;
  }

  MetricFinding find(size_t metric) const {
    MetricFinding finding{.metric = std::string(job_.scoring.metrics[metric].name)};
    for (int64_t step = 0; step <= job_.setup.test_steps; ++step) {
      finding.baseline.push_back(baseline(metric, step));
    }
    const auto parts = samples(metric);
    for (const auto& [part, sample] : parts) {
      finding.estimands.push_back(
          summary(std::string(config::word(part.first)), part.second, sample));
    }
    for (auto& [name, sample] : derived(parts)) {
      finding.estimands.push_back(summary(name, job_.setup.test_steps, sample));
    }
    return finding;
  }

  MeanInterval baseline(size_t metric, int64_t step) const {
    std::vector<double> values;
    for (size_t c = 0; c < job_.columns.size(); ++c) {
      const TaskColumn& column = job_.columns[c];
      if (!column.is_baseline || column.metric != metric || column.step != step) continue;
      for (const int64_t task : tasks_) {
        values.push_back(results_.values(static_cast<size_t>(task))[c]);
      }
    }
    return mean_interval(values);
  }

  // Combinations of the means over repeats, task by task.
  std::vector<std::pair<std::string, Sample>> derived(const std::map<Part, Sample>& parts) const {
    const int64_t last = job_.setup.test_steps;
    const auto part = [&](Estimand estimand, int64_t step) -> const Sample* {
      const auto found = parts.find({estimand, step});
      return found == parts.end() ? nullptr : &found->second;
    };
    const Sample* prior = part(Estimand::prior, 0);
    const Sample* query = part(Estimand::query, last);
    const Sample* support = part(Estimand::support, last);
    const Sample* both = part(Estimand::support_query, last);
    std::vector<std::pair<std::string, Sample>> result;
    const auto add = [&](const char* name, auto combine) {
      Sample sample{.groups = job_.scoring.groups.size()};
      for (size_t task = 0; task < tasks_.size(); ++task) {
        for (size_t g = 0; g < sample.groups; ++g) sample.values.push_back(combine(task, g));
      }
      result.emplace_back(name, std::move(sample));
    };
    if (prior != nullptr && query != nullptr) {
      add("adaptation", [&](size_t t, size_t g) { return query->mean(t, g) - prior->mean(t, g); });
    }
    if (query == nullptr || support == nullptr || both == nullptr) return result;
    add("interaction", [&](size_t t, size_t g) {
      return support->mean(t, g) + query->mean(t, g) - both->mean(t, g);
    });
    add("shapley_support", [&](size_t t, size_t g) {
      return 0.5 * (support->mean(t, g) + both->mean(t, g) - query->mean(t, g));
    });
    add("shapley_query", [&](size_t t, size_t g) {
      return 0.5 * (query->mean(t, g) + both->mean(t, g) - support->mean(t, g));
    });
    return result;
  }

  EstimandFinding summary(const std::string& name, int64_t step, const Sample& sample) const {
    const size_t tasks = sample.tasks();
    const SignFlips flips = SignFlips::sampled(tasks, kSignVectors, job_.seed);
    std::vector<std::vector<double>> columns;
    for (size_t g = 0; g < sample.groups; ++g) columns.push_back(sample.means(g));
    const JointBand band = joint_band(columns, flips);
    std::vector<double> rows;
    for (size_t task = 0; task < tasks; ++task) {
      for (size_t g = 0; g < sample.groups; ++g) rows.push_back(columns[g][task]);
    }
    const MaxT joint = max_t(TableView(rows, sample.groups), flips);
    EstimandFinding finding{.name = name, .step = step};
    const auto count = static_cast<double>(flips.count());
    for (size_t g = 0; g < sample.groups; ++g) {
      finding.groups.push_back(
          {.group = job_.scoring.groups[g].name,
           .tasks = summarise_tasks(columns[g]),
           .band_half = band.half[g],
           .p_value = static_cast<double>(sign_flip_test(columns[g], flips).two_sided) / count,
           .p_joint = static_cast<double>(joint.exceeding[g]) / count,
           .repeat_error = repeat_error(sample, g)});
    }
    return finding;
  }

  // Of the mean over tasks, from the draws alone; 0 where there was one draw.
  static double repeat_error(const Sample& sample, size_t group) {
    if (sample.repeats < 2) return 0;
    std::vector<double> own;
    for (size_t task = 0; task < sample.tasks(); ++task) {
      for (size_t r = 0; r < sample.repeats; ++r) {
        own.push_back(sample.values[(task * sample.groups + group) * sample.repeats + r]);
      }
    }
    const VarianceSplit split = split_variance(own, sample.repeats);
    return std::sqrt(split.between_repeats / static_cast<double>(own.size()));
  }

  std::vector<double> matrix(size_t metric) const {
    const auto parts = samples(metric);
    const auto found = parts.find({Estimand::query, job_.setup.test_steps});
    if (found == parts.end()) return {};
    std::vector<double> values;
    for (size_t task = 0; task < tasks_.size(); ++task) {
      for (size_t g = 0; g < found->second.groups; ++g) {
        values.push_back(found->second.mean(task, g));
      }
    }
    return values;
  }

  const RunImportanceJob::Impl& job_;
  const farm::Results& results_;
  std::vector<int64_t> tasks_, left_out_;  // cells
};

}  // namespace

RunImportance RunImportanceJob::fold(const farm::Results& results) const {
  OL_ASSERT(results.complete(), "a fold of results that are not complete");
  return Fold(*impl_, results).run();
}

}  // namespace outerloop::interp
