#include "outerloop/interp/run_importance.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "interp/adapter_learner.h"
#include "interp/pixel_groups.h"
#include "interp/run_importance_impl.h"
#include "outerloop/base/error.h"
#include "outerloop/config/schema.h"
#include "outerloop/config/word.h"
#include "outerloop/train/stored_run.h"
#include "outerloop/train/theta.h"

namespace outerloop::interp {
namespace {

constexpr uint32_t kTrainingTasks = 1024;  // training tasks whose inputs give the means for drop

// The features of a table as groups of its inputs.
std::vector<FeatureGroup> table_groups(const data::TablePreparation& table,
                                       const std::vector<NamedGroup>& named) {
  std::vector<std::string> features;
  std::vector<std::vector<uint32_t>> inputs;
  uint32_t next = 0;
  for (const data::TableFeature& feature : table.features) {
    features.push_back(feature.name);
    auto& own = inputs.emplace_back();
    for (int64_t i = 0; i < feature.inputs(); ++i) own.push_back(next++);
  }
  std::vector<FeatureGroup> groups = feature_groups(features, named);
  for (FeatureGroup& group : groups) {
    std::vector<uint32_t> columns;
    for (const uint32_t feature : group.columns) {
      columns.insert(columns.end(), inputs[feature].begin(), inputs[feature].end());
    }
    group.columns = std::move(columns);
  }
  return groups;
}

bool has_training_tasks(const train::Setup& setup) {
  try {
    setup.train_tasks->check(data::Split::train);
    return true;
  } catch (const BadInput&) {
    return false;
  }
}

// The training tasks' inputs from the least to the greatest, cut into equal parts.
std::vector<PlaceBin> places_of(const RunProblem& job, int64_t count) {
  const train::Setup& setup = job.setup;
  if (setup.test_shape.classification || setup.test_shape.example.elements() != 1) {
    throw BadInput("--bins: places are of tasks with one input and numbers as targets");
  }
  if (count < 2 || count > 1000) {
    throw BadInput(fmt::format("--bins: expected 2 to 1000, got {}", count));
  }
  job.require_training_tasks("--bins");
  data::Episode episode(setup.train_tasks->spec());
  float least = INFINITY;
  float most = -INFINITY;
  for (uint32_t slot = 0; slot < kTrainingTasks; ++slot) {
    setup.train_tasks->draw({.seed = job.seed, .split = data::Split::train, .slot = slot},
                            episode.buffers());
    for (const float x : episode.support_x.as<float>()) {
      least = std::min(least, x);
      most = std::max(most, x);
    }
  }
  std::vector<PlaceBin> places;
  const float width = (most - least) / static_cast<float>(count);
  const auto edge = [&](int64_t i) { return least + width * static_cast<float>(i); };
  for (int64_t i = 0; i < count; ++i) places.push_back({edge(i), edge(i + 1)});
  const auto is_place = [](const PlaceBin& place) { return place.low < place.high; };
  if (std::ranges::all_of(places, is_place)) return places;
  throw BadInput(
      fmt::format("--bins: the training tasks' inputs, from {} to {}, are too close to each other "
                  "for {} places",
                  least, most, count));
}

// Named by their ends, with the digits that tell these apart.
std::vector<FeatureGroup> groups_of_places(const std::vector<PlaceBin>& places) {
  const double range =
      static_cast<double>(places.back().high) - static_cast<double>(places.front().low);
  const double width = range / static_cast<double>(places.size());
  const int digits = std::max(0, 2 - static_cast<int>(std::floor(std::log10(width))));
  std::vector<FeatureGroup> groups;
  for (const PlaceBin& place : places) {
    groups.push_back({fmt::format("{:.{}f} … {:.{}f}", place.low, digits, place.high, digits), {}});
  }
  return groups;
}

// Each point is in one of them: the outer ones have the training tasks' last points and all beyond.
std::vector<PlaceBin> bins_of(std::vector<PlaceBin> places) {
  places.front().low = -INFINITY;
  places.back().high = INFINITY;
  return places;
}

// Refuses words that nothing here would follow.
std::vector<std::string> overrides_of(const RunImportanceSpec& spec) {
  for (const std::string& word : spec.overrides) {
    const std::string key(config::key_of(word));
    if (key == "runtime.threads") {
      throw BadInput(fmt::format("'{}' has no effect here; use --threads", word));
    }
    if (!key.starts_with("runtime.") || key == "runtime.isa") continue;
    if (config::find_key(key) == nullptr) continue;  // refused by the reader, by the nearest key
    throw BadInput(
        fmt::format("'{}' has no effect here: importance is computed by the processor, by ordered "
                    "numerics; leave it out",
                    word));
  }
  return spec.overrides;
}

std::vector<FeatureGroup> groups_of(RunProblem& job) {
  const train::Setup& setup = job.setup;
  const bool asks_pixels = job.spec.patch || job.spec.superpixels || job.spec.strokes;
  if (asks_pixels && !setup.data.images) {
    throw BadInput("--patch, --superpixels and --strokes are of images; this run has none");
  }
  if (job.spec.bins) {
    if (!job.spec.groups.empty()) {
      throw BadInput("--bins makes the groups itself; leave out --group");
    }
    job.places = places_of(job, *job.spec.bins);
    job.scoring.bins = bins_of(job.places);
    return groups_of_places(job.places);
  }
  if (setup.data.table) return table_groups(setup.data.table->preparation, job.spec.groups);
  if (!job.spec.groups.empty()) {
    throw BadInput("--group names features of a table; this run has none");
  }
  if (setup.data.images) return pixel_groups(job);
  std::vector<FeatureGroup> groups;
  const auto inputs = static_cast<uint32_t>(setup.test_shape.example.elements());
  for (uint32_t i = 0; i < inputs; ++i) {
    groups.push_back({inputs == 1 ? "x" : fmt::format("x{}", i + 1), {i}});
  }
  return groups;
}

std::vector<Metric> metrics_of(const RunImportanceSpec& spec, const train::Setup& setup) {
  const bool classification = setup.test_shape.classification;
  const int64_t ways = setup.test_tasks->shape().ways;
  std::vector<std::string> names = spec.metrics;
  if (names.empty()) names = usual_metrics(classification);
  std::vector<Metric> metrics;
  for (auto at = names.begin(); at != names.end(); ++at) {
    const std::string& name = *at;
    const Metric& metric = metrics.emplace_back(metric_named(name));
    if (std::find(names.begin(), at, name) != at) {
      throw BadInput(fmt::format("--metrics: '{}' is named twice", name));
    }
    if (metric.of_two_classes && classification && ways > 2) {
      throw BadInput(fmt::format(
          "--metrics: {} tells two classes apart, this run's tasks have {}; leave it out", name,
          ways));
    }
    const bool of_numbers = metric.of == Output::number;
    if (of_numbers != classification) continue;
    throw BadInput(fmt::format("--metrics: {} is for {}, this run's tasks have {}", name,
                               of_numbers ? "numbers" : "classes",
                               of_numbers ? "classes" : "numbers"));
  }
  return metrics;
}

std::vector<Estimand> estimands_of(const RunImportanceSpec& spec, const train::Setup& setup) {
  const bool asks_labels =
      std::ranges::find(spec.estimands, Estimand::labels) != spec.estimands.end();
  if (spec.bins && (spec.estimands.empty() || (asks_labels && spec.estimands.size() == 1))) {
    return {Estimand::labels};
  }
  if (spec.bins || asks_labels) {
    throw BadInput(
        "the estimand labels is of --bins, and the only one there: give both, or --bins");
  }
  if (!spec.estimands.empty()) return spec.estimands;
  std::vector<Estimand> all{Estimand::query, Estimand::support, Estimand::support_query,
                            Estimand::drop, Estimand::across};
  if (setup.test_steps > 0) all.insert(all.begin(), Estimand::prior);
  if (!has_training_tasks(setup)) std::erase(all, Estimand::drop);
  if (!spec.within_classes) return all;
  std::erase(all, Estimand::across);
  if (setup.test_shape.support_rows > setup.test_shape.outputs) return all;
  std::erase(all, Estimand::support);
  std::erase(all, Estimand::support_query);
  return all;
}

// Refuses flags that nothing would follow.
void check_ways(const RunImportanceSpec& spec, const TaskScoring& scoring,
                const train::Setup& setup) {
  const int64_t steps = setup.test_steps;
  const auto has = [&](Estimand estimand) {
    return std::ranges::find(scoring.estimands, estimand) != scoring.estimands.end();
  };
  if (spec.curve && !has(Estimand::query)) {
    throw BadInput(
        "--curve is of the estimand query, which is not asked for; add it to "
        "--estimands, or leave --curve out");
  }
  if (spec.within_classes && !setup.test_shape.classification) {
    throw BadInput("--donors within_class: this run's tasks have numbers, not classes");
  }
  const auto draws_no_rows = [](Estimand e) {
    return e == Estimand::drop || e == Estimand::labels;
  };
  if (spec.within_classes && std::ranges::all_of(scoring.estimands, draws_no_rows)) {
    throw BadInput(
        "--donors within_class: no estimand that is asked for draws values between rows; add "
        "prior, query, support or support_query to --estimands, or leave --donors out");
  }
  if (spec.curve && steps == 0) {
    throw BadInput("--curve: the learner takes no inner steps; leave it out");
  }
  if (spec.exact && !has(Estimand::query) && !has(Estimand::prior)) {
    throw BadInput(
        "--exact is of the estimands prior and query, and neither is asked for; leave "
        "it out");
  }
}

// How many tasks are scored, at most by a budget; each counts once.
int64_t tasks_of(const RunProblem& job) {
  const config::Config& config = job.setup.config;
  if (job.spec.split == data::Split::train && config.tasks.family == config::TaskFamily::table) {
    throw BadInput(
        "--split train: the tasks that a training draws from a table come again and again, and "
        "here each counts once; take validation or test");
  }
  const int64_t there = job.setup.test_tasks->tasks(job.spec.split);
  const int64_t own =
      job.spec.split == data::Split::validation ? config.validation.tasks : config.test.tasks;
  const int64_t usual = job.spec.budget ? job.spec.budget->most_tasks : own;
  const int64_t wanted = job.spec.tasks.value_or(there > 0 ? std::min(there, usual) : usual);
  if (wanted < 2) {
    throw BadInput(fmt::format("importance needs two tasks or more, got {}; give --tasks", wanted));
  }
  if (there > 0 && wanted > there) {
    throw BadInput(
        fmt::format("--tasks {}: the {} split has {} tasks of this shape, and each "
                    "counts once",
                    wanted, name_of(job.spec.split), there));
  }
  return wanted;
}

}  // namespace

std::vector<std::string> usual_metrics(bool classification) {
  if (classification) return {"log_loss", "accuracy"};
  return {"mse"};
}

RunProblem::RunProblem(const RunImportanceSpec& s)
    : spec(s),
      stored(train::open_run(s.run, s.checkpoint, overrides_of(s))),
      setup(train::make_setup(stored)),
      content_hash(checkpoint::content_hash(stored.checkpoint_file)),
      theta(train::answering_theta(stored.checkpoint, train::layout_of(setup.learner.parameters))),
      seed(static_cast<uint64_t>(s.seed.value_or(setup.config.seed))) {
  setup.test_tasks->check(spec.split);
  scoring.groups = groups_of(*this);
  scoring.metrics = metrics_of(spec, setup);
  scoring.estimands = estimands_of(spec, setup);
  check_ways(spec, scoring, setup);
  scoring.curve = spec.curve;
  scoring.exact = spec.exact;
  scoring.within_classes = spec.within_classes;
  scoring.repeats = spec.repeats;
  scoring.seed = seed;
  scoring.diverged_loss = setup.config.test.diverged_loss;
  const bool reads_queries =
      std::ranges::find(scoring.estimands, Estimand::query) != scoring.estimands.end();
  if (setup.data.images && reads_queries && scoring.metrics.front().mean_over_rows) {
    scoring.classes = setup.test_tasks->shape().ways;
  }
  if (std::ranges::find(scoring.estimands, Estimand::drop) != scoring.estimands.end()) {
    scoring.means = training_means("--estimands drop");
  }
  tasks = tasks_of(*this);
  learners.resize(static_cast<size_t>(std::max(1, spec.threads)));
}

std::string RunProblem::split_scheme() const {
  if (!setup.data.images) return {};
  const std::string& chosen = setup.config.tasks.split;
  return chosen.empty() ? setup.data.images->default_split : chosen;
}

void RunProblem::require_training_tasks(std::string_view flag) const {
  if (has_training_tasks(setup)) return;
  throw BadInput(
      fmt::format("{} needs training tasks, and the train split of {} gives none of the "
                  "training's shape; leave it out, or name another tasks.dataset",
                  flag, setup.data.file.string()));
}

// In the order of tasks and rows, in double.
const std::vector<float>& RunProblem::training_means(std::string_view flag) {
  if (!means.empty()) return means;
  require_training_tasks(flag);
  data::Episode episode(setup.train_tasks->spec());
  const auto inputs = static_cast<size_t>(setup.train_shape.example.elements());
  std::vector<double> sums(inputs);
  double rows = 0;
  for (uint32_t slot = 0; slot < kTrainingTasks; ++slot) {
    setup.train_tasks->draw({.seed = seed, .split = data::Split::train, .slot = slot},
                            episode.buffers());
    for (const Tensor* set : {&episode.support_x, &episode.query_x}) {
      const auto values = set->as<float>();
      for (size_t i = 0; i < values.size(); ++i) {
        sums[i % inputs] += static_cast<double>(values[i]);
      }
      rows += static_cast<double>(values.size() / inputs);
    }
  }
  for (const double sum : sums) means.push_back(static_cast<float>(sum / rows));
  return means;
}

data::TaskKey RunProblem::key_of(uint64_t slot) const {
  return {.seed = seed, .split = spec.split, .slot = static_cast<uint32_t>(slot)};
}

TaskLearner& RunProblem::learner(int thread) {
  auto& place = learners[static_cast<size_t>(thread)];
  if (!place) place = std::make_unique<AdapterLearner>(setup, theta);
  return *place;
}

}  // namespace outerloop::interp
