#include "outerloop/interp/task_baselines.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "outerloop/base/error.h"
#include "outerloop/interp/linear_tasks.h"
#include "outerloop/train/stored_run.h"

namespace outerloop::interp {
namespace {

constexpr auto kStrengths =
    std::to_array({0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0});

struct Task {
  TaskRows support;
  TaskRows query;
};

// Draw i is of task i % distinct.
struct Draws {
  std::vector<Task> tasks;
  int64_t distinct = 0;
};

TaskRows rows_of(const Tensor& x, const Tensor& y) {
  const auto values = x.as<float>();
  const auto targets = y.as<float>();
  return {.columns = static_cast<size_t>(x.shape()[1]),
          .x = {values.begin(), values.end()},
          .y = {targets.begin(), targets.end()}};
}

std::vector<TaskRows> training_tasks(const data::TableSet& set) {
  const auto columns = static_cast<size_t>(set.preparation.inputs());
  std::vector<TaskRows> tasks;
  for (const int32_t task : set.splits[static_cast<size_t>(data::Split::train)]) {
    const auto begin = set.begin[static_cast<size_t>(task)];
    const auto end = set.begin[static_cast<size_t>(task) + 1];
    if (begin == end) continue;
    const auto width = static_cast<std::ptrdiff_t>(columns);
    tasks.push_back({.columns = columns,
                     .x = {set.x.begin() + begin * width, set.x.begin() + end * width},
                     .y = {set.y.begin() + begin, set.y.begin() + end}});
  }
  return tasks;
}

double mean_target(const std::vector<TaskRows>& tasks) {
  double sum = 0, rows = 0;
  for (const TaskRows& task : tasks) {
    for (const double y : task.y) sum += y;
    rows += static_cast<double>(task.y.size());
  }
  return sum / std::max(rows, 1.0);
}

// What a model leaves to explain by a constant alone.
TaskRows residuals(const LinearWeights& weights, const TaskRows& rows) {
  TaskRows result{.columns = 0, .x = {}, .y = rows.y};
  for (size_t r = 0; r < rows.y.size(); ++r) {
    result.y[r] -= weights[0];
    for (size_t c = 0; c < rows.columns; ++c) {
      result.y[r] -= weights[c + 1] * rows.x[r * rows.columns + c];
    }
  }
  return result;
}

TaskRows without_columns(const TaskRows& rows) {
  return {.columns = 0, .x = {}, .y = rows.y};
}

class Baselines {
 public:
  Baselines(const config::Config& config, const std::filesystem::path& folder)
      : config_(config), data_(train::load_data(config, folder)) {
    if (!data_.table || !data_.table->preparation.classes.empty()) {
      throw BadInput("baselines are for tasks.family = table with tasks.table.kind = regression");
    }
  }

  TaskBaselines run(const std::vector<int64_t>& shots) {
    const data::TablePreparation& preparation = data_.table->preparation;
    TaskBaselines result{.target_variance = preparation.target_scale * preparation.target_scale,
                         .standardised = config_.tasks.table.standardise};
    result.only_constant_differs = preparation.inputs() >= TaskBaselines::kMostFreeWeights;
    fit(result, shots.front());
    for (const int64_t k : shots) result.shots.push_back(on_tasks(result, k));
    return result;
  }

 private:
  void fit(TaskBaselines& result, int64_t shots) {
    std::vector<TaskRows> tasks = training_tasks(*data_.table);
    if (!result.standardised) centre_ = mean_target(tasks);
    for (TaskRows& task : tasks) centre(task);
    const std::vector<Task> validation = draw(data::Split::validation, shots).tasks;
    std::array<LinearWeights, kStrengths.size()> fits;
    result.pooled_ridge = strongest(validation, [&](const Task&, size_t s) -> LinearWeights& {
      if (fits[s].empty()) fits[s] = fit_ridge(tasks, kStrengths[s]);
      return fits[s];
    });
    pooled_ = fit_ridge(tasks, result.pooled_ridge);
    if (result.only_constant_differs) {
      for (TaskRows& task : tasks) task = residuals(pooled_, task);
    }
    prior_ = fit_linear_prior(tasks);
  }

  BaselinesOf on_tasks(const TaskBaselines& fitted, int64_t shots) const {
    BaselinesOf result{.shots = shots};
    const auto own_ridge = [](const Task& task, size_t s) {
      return fit_ridge({&task.support, 1}, kStrengths[s]);
    };
    result.ridge = strongest(draw(data::Split::validation, shots).tasks, own_ridge);
    const Draws draws = draw(data::Split::test, shots);
    const auto add = [&](const char* name, const auto& loss_of) {
      std::vector<float> losses;
      for (const Task& task : draws.tasks) losses.push_back(static_cast<float>(loss_of(task)));
      const std::vector<uint8_t> none_left_out(losses.size());
      result.models.push_back({name, train::statistic(losses, none_left_out, draws.distinct),
                               train::means_of_tasks(losses, none_left_out, draws.distinct)});
    };
    add("global mean",
        [](const Task& t) { return mean_squared_error({0.0}, without_columns(t.query)); });
    add("support mean", [](const Task& t) {
      const TaskRows support = without_columns(t.support);
      return mean_squared_error(fit_ridge({&support, 1}, 1.0), without_columns(t.query));
    });
    add("task ridge", [&](const Task& t) {
      return mean_squared_error(fit_ridge({&t.support, 1}, result.ridge), t.query);
    });
    add("pooled", [&](const Task& t) { return mean_squared_error(pooled_, t.query); });
    add("hierarchical", [&](const Task& t) {
      if (!fitted.only_constant_differs) {
        return mean_squared_error(posterior_mean(prior_, t.support), t.query);
      }
      return mean_squared_error(posterior_mean(prior_, residuals(pooled_, t.support)),
                                residuals(pooled_, t.query));
    });
    return result;
  }

  // The first of the strengths with the least loss on the queries.
  template <class Fit>
  static double strongest(const std::vector<Task>& tasks, const Fit& fit) {
    std::array<double, kStrengths.size()> losses{};
    for (const Task& task : tasks) {
      for (size_t s = 0; s < losses.size(); ++s) {
        losses[s] += mean_squared_error(fit(task, s), task.query);
      }
    }
    return kStrengths[static_cast<size_t>(std::ranges::min_element(losses) - losses.begin())];
  }

  // Those of train::Evaluator.
  Draws draw(data::Split split, int64_t shots) const {
    config::Protocol protocol = config::test_protocol(config_);
    protocol.shots = shots;
    protocol.batch = 0;
    const auto family = train::make_family(config_, protocol, data_);
    family->check(split);
    const bool is_test = split == data::Split::test;
    const int64_t count = is_test ? config_.test.tasks : config_.validation.tasks;
    Draws draws{.tasks = {}, .distinct = family->tasks(split)};
    data::Episode episode(family->spec());
    for (int64_t slot = 0; slot < count; ++slot) {
      family->draw({.seed = static_cast<uint64_t>(config_.seed),
                    .split = split,
                    .slot = static_cast<uint32_t>(slot)},
                   episode.buffers());
      Task& task =
          draws.tasks.emplace_back(Task{.support = rows_of(episode.support_x, episode.support_y),
                                        .query = rows_of(episode.query_x, episode.query_y)});
      centre(task.support);
      centre(task.query);
    }
    return draws;
  }

  void centre(TaskRows& rows) const {
    for (double& y : rows.y) y -= centre_;
  }

  const config::Config& config_;
  train::Data data_;
  double centre_ = 0;  // of the training rows' targets, which all models are without
  LinearWeights pooled_;
  LinearPrior prior_;
};

}  // namespace

TaskBaselines compute_baselines(const config::Resolved& resolved, std::vector<int64_t> shots) {
  const config::Config config = train::with_known_dataset(resolved);
  if (config.test.tasks < 1) {
    throw BadInput("baselines need tasks to test on: test.tasks = 0; set it to 1 or more");
  }
  if (shots.empty()) shots = {config::test_protocol(config).shots};
  return Baselines(config, resolved.folder).run(shots);
}

std::string describe(const TaskBaselines& baselines) {
  std::string text =
      baselines.standardised
          ? fmt::format(
                "squared error in units of {:.4g}, the variance of the training rows' targets\n",
                baselines.target_variance)
          : "squared error in squared units of the target\n";
  if (baselines.only_constant_differs) {
    text += fmt::format(
        "hierarchical: {} inputs or more, so only the constant differs from task to task\n",
        TaskBaselines::kMostFreeWeights);
  }
  for (const BaselinesOf& of : baselines.shots) {
    text += fmt::format("from {} support rows ({} tasks)\n", of.shots, of.models[0].loss.tasks);
    for (const Baseline& model : of.models) {
      text +=
          fmt::format("  {:<14}{:.4f} ± {:.4f}\n", model.name, model.loss.mean, model.loss.ci95);
    }
  }
  return text;
}

std::string to_json_text(const TaskBaselines& baselines) {
  nlohmann::ordered_json json{{"target_variance", baselines.target_variance},
                              {"pooled_ridge", baselines.pooled_ridge},
                              {"only_constant_differs", baselines.only_constant_differs}};
  for (const BaselinesOf& of : baselines.shots) {
    auto& entry = json["shots"][fmt::format("{}", of.shots)];
    entry = {{"task_ridge", of.ridge}, {"tasks", of.models[0].loss.tasks}};
    for (const Baseline& model : of.models) {
      entry["loss"][model.name] = {
          {"mean", model.loss.mean}, {"ci95", model.loss.ci95}, {"by_task", model.by_task}};
    }
  }
  return json.dump(2) + "\n";
}

}  // namespace outerloop::interp
