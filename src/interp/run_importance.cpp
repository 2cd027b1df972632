#include "outerloop/interp/run_importance.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "interp/adapter_learner.h"
#include "interp/run_importance_impl.h"
#include "outerloop/base/error.h"
#include "outerloop/base/philox.h"
#include "outerloop/train/evaluate_run.h"
#include "outerloop/train/stored_run.h"
#include "outerloop/train/theta.h"

namespace outerloop::interp {
namespace {

constexpr uint32_t kMeanTasks = 1024;       // training tasks whose inputs give the means for drop
constexpr uint32_t kDonorSlots = 1u << 20;  // that donors of other tasks come from

data::TaskKey key_of(const RunImportanceJob::Impl& job, uint64_t slot) {
  return {.seed = job.seed, .split = job.spec.split, .slot = static_cast<uint32_t>(slot)};
}

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

// Squares of pixels with all their channels, row by row; those at the right and lower edge may be
// smaller.
std::vector<FeatureGroup> patches(const Shape& image, int64_t side, std::array<int64_t, 2>& grid) {
  if (side < 1 || side > std::min(image[0], image[1])) {
    throw BadInput(fmt::format("--patch: expected 1 to {} pixels for images of {} x {}, got {}",
                               std::min(image[0], image[1]), image[0], image[1], side));
  }
  grid = {(image[0] + side - 1) / side, (image[1] + side - 1) / side};
  std::vector<FeatureGroup> groups;
  for (int64_t top = 0; top < image[0]; top += side) {
    for (int64_t left = 0; left < image[1]; left += side) {
      FeatureGroup& group = groups.emplace_back();
      group.name = fmt::format("{},{}", top / side, left / side);
      for (int64_t y = top; y < std::min(top + side, image[0]); ++y) {
        for (int64_t x = left; x < std::min(left + side, image[1]); ++x) {
          for (int64_t c = 0; c < image[2]; ++c) {
            group.columns.push_back(static_cast<uint32_t>((y * image[1] + x) * image[2] + c));
          }
        }
      }
    }
  }
  return groups;
}

std::vector<FeatureGroup> groups_of(RunImportanceJob::Impl& job) {
  const train::Setup& setup = job.setup;
  if (setup.data.table) return table_groups(setup.data.table->preparation, job.spec.groups);
  if (!job.spec.groups.empty()) {
    throw BadInput("--group names features of a table; this run has none");
  }
  if (setup.data.images) return patches(setup.test_shape.example, job.spec.patch, job.grid);
  std::vector<FeatureGroup> groups;
  const auto inputs = static_cast<uint32_t>(setup.test_shape.example.elements());
  for (uint32_t i = 0; i < inputs; ++i) {
    groups.push_back({inputs == 1 ? "x" : fmt::format("x{}", i + 1), {i}});
  }
  return groups;
}

std::vector<Metric> metrics_of(const RunImportanceSpec& spec, bool classification) {
  std::vector<std::string> names = spec.metrics;
  if (names.empty()) {
    names = classification ? std::vector<std::string>{"log_loss", "accuracy"}
                           : std::vector<std::string>{"mse"};
  }
  const std::vector<std::string_view> values{"r2", "mse", "mae"};
  std::vector<Metric> metrics;
  for (const std::string& name : names) {
    metrics.push_back(metric_named(name));
    const bool of_values = std::ranges::find(values, name) != values.end();
    if (of_values != classification) continue;
    throw BadInput(fmt::format("--metrics: {} is for {}, this run's tasks have {}", name,
                               of_values ? "numbers" : "classes",
                               of_values ? "classes" : "numbers"));
  }
  return metrics;
}

std::vector<Estimand> estimands_of(const RunImportanceSpec& spec, bool has_steps) {
  if (!spec.estimands.empty()) return spec.estimands;
  std::vector<Estimand> all{Estimand::query, Estimand::support, Estimand::support_query,
                            Estimand::drop, Estimand::across};
  if (has_steps) all.insert(all.begin(), Estimand::prior);
  return all;
}

// In the order of tasks and rows, in double.
std::vector<float> training_means(const train::Setup& setup, uint64_t seed) {
  data::Episode episode(setup.train_tasks->spec());
  const auto inputs = static_cast<size_t>(setup.train_shape.example.elements());
  std::vector<double> sums(inputs);
  double rows = 0;
  for (uint32_t slot = 0; slot < kMeanTasks; ++slot) {
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
  std::vector<float> means;
  for (const double sum : sums) means.push_back(static_cast<float>(sum / rows));
  return means;
}

// How many tasks are scored; each counts once.
int64_t tasks_of(const RunImportanceJob::Impl& job) {
  const config::Config& config = job.setup.config;
  const int64_t there = job.setup.test_tasks->tasks(job.spec.split);
  const int64_t own =
      job.spec.split == data::Split::validation ? config.validation.tasks : config.test.tasks;
  const int64_t wanted = job.spec.tasks.value_or(there > 0 ? std::min(there, own) : own);
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

std::string content_of(const RunImportanceJob::Impl& job) {
  const config::Protocol protocol = config::test_protocol(job.setup.config);
  nlohmann::ordered_json json{{"checkpoint", job.content_hash},
                              {"data", job.setup.data.fingerprint},
                              {"ways", protocol.ways},
                              {"shots", protocol.shots},
                              {"queries", protocol.queries},
                              {"steps", protocol.steps},
                              {"batch", protocol.batch},
                              {"rotation", config::word(protocol.rotation)},
                              {"within", config::word(protocol.within)},
                              {"transductive", job.setup.config.learner.transductive},
                              {"split", name_of(job.spec.split)},
                              {"seed", job.seed},
                              {"exact", job.scoring.exact}};
  for (const FeatureGroup& group : job.scoring.groups) {
    json["groups"].push_back({{"name", group.name}, {"inputs", group.columns}});
  }
  return json.dump();
}

}  // namespace

RunImportanceJob::Impl::Impl(const RunImportanceSpec& s)
    : spec(s),
      stored(train::open_run(s.run, s.checkpoint, train::protocol_overrides(s.overrides))),
      setup(train::make_setup(stored)),
      content_hash(checkpoint::content_hash(stored.checkpoint_file)),
      theta(train::answering_theta(stored.checkpoint, train::layout_of(setup.learner.parameters))),
      seed(static_cast<uint64_t>(s.seed.value_or(setup.config.seed))) {
  setup.test_tasks->check(spec.split);
  scoring.groups = groups_of(*this);
  scoring.metrics = metrics_of(spec, setup.test_shape.classification);
  scoring.estimands = estimands_of(spec, setup.test_steps > 0);
  scoring.curve = spec.curve;
  scoring.exact = spec.exact;
  scoring.repeats = spec.repeats;
  scoring.seed = seed;
  if (std::ranges::find(scoring.estimands, Estimand::drop) != scoring.estimands.end()) {
    scoring.means = training_means(setup, seed);
  }
  for (int64_t task = 0; task < tasks_of(*this); ++task) {
    cells.push_back({fmt::format("task={}", task)});
  }
  workers.resize(static_cast<size_t>(std::max(1, spec.threads)));
  Worker& first = worker(0);
  for (const TaskColumn& column : first.scorer->columns()) {
    columns.push_back(column);
    names.push_back(first.scorer->name_of(column));
  }
  manifest = {"importance of a run", content_of(*this)};
}

RunImportanceJob::Impl::Worker& RunImportanceJob::Impl::worker(int thread) {
  auto& place = workers[static_cast<size_t>(thread)];
  if (place) return *place;
  place = std::make_unique<Worker>(setup.test_tasks->spec());
  Worker& made = *place;
  made.learner = std::make_unique<AdapterLearner>(setup, theta);
  made.scorer = std::make_unique<TaskScorer>(
      scoring, *made.learner, setup.test_tasks->spec(),
      [this, &made](uint64_t task, uint64_t draw) -> const data::Episode& {
        return other_task(made, task, draw);
      });
  return made;
}

// By (task, draw) any slot that is another task.
const data::Episode& RunImportanceJob::Impl::other_task(Worker& with, uint64_t task,
                                                        uint64_t draw) const {
  const auto there = static_cast<uint64_t>(setup.test_tasks->tasks(spec.split));
  Philox random({.seed = seed,
                 .purpose = Purpose::importance,
                 .iteration = (uint64_t{1} << 44) + task,
                 .slot = static_cast<uint32_t>(draw)});
  uint64_t slot = task;
  while (there == 0 ? slot == task : slot % there == task % there) {
    slot = random.below(kDonorSlots);
  }
  setup.test_tasks->draw(key_of(*this, slot), with.other.buffers());
  return with.other;
}

RunImportanceJob::RunImportanceJob(const RunImportanceSpec& spec)
    : impl_(std::make_unique<Impl>(spec)) {}
RunImportanceJob::~RunImportanceJob() = default;

const farm::Manifest& RunImportanceJob::manifest() const {
  return impl_->manifest;
}
const std::vector<farm::Cell>& RunImportanceJob::cells() const {
  return impl_->cells;
}
const std::vector<std::string>& RunImportanceJob::columns() const {
  return impl_->names;
}

void RunImportanceJob::run(size_t cell, int thread, std::span<double> values) {
  Impl::Worker& worker = impl_->worker(thread);
  impl_->setup.test_tasks->draw(key_of(*impl_, cell), worker.own.buffers());
  worker.scorer->score(worker.own, cell, values);
}

}  // namespace outerloop::interp
