#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "interp/run_importance_impl.h"
#include "outerloop/base/error.h"
#include "outerloop/base/philox.h"
#include "outerloop/io/json_text.h"

namespace outerloop::interp {
namespace {

// Counts on where the bits of a copy's answers change: journals of before are another job's.
constexpr int kAnswers = 2;
constexpr uint32_t kDonorSlots = 1u << 20;  // that donors of other tasks come from

std::string content_of(const RunProblem& job, const TaskScoring& scoring) {
  const config::Protocol protocol = config::test_protocol(job.setup.config);
  nlohmann::ordered_json json{{"answers", kAnswers},
                              {"checkpoint", job.content_hash},
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
                              {"split_scheme", job.split_scheme()},
                              {"diverged_loss", scoring.diverged_loss},
                              {"seed", job.seed},
                              {"exact", scoring.exact}};
  if (scoring.within_classes) json["donors"] = "within_class";
  for (const FeatureGroup& group : scoring.groups) {
    json["groups"].push_back({{"name", group.name}, {"inputs", group.columns}});
  }
  for (const PlaceBin& bin : scoring.bins) json["bins"].push_back({bin.low, bin.high});
  if (scoring.lines) json["line_pieces"] = {scoring.lines->most, scoring.lines->places};
  return io::json_text(json);
}

// All tasks, or the first of a budget.
ImportanceRound first_round(const RunProblem& problem) {
  ImportanceRound round{.tasks = problem.tasks, .repeats = problem.spec.repeats};
  if (problem.spec.budget) {
    round.tasks = std::min(problem.tasks, problem.spec.budget->pilot_tasks);
    round.repeats = 2;
  }
  for (size_t g = 0; g < problem.scoring.groups.size(); ++g) round.groups.push_back(g);
  return round;
}

}  // namespace

RunImportanceJob::Impl::Impl(std::shared_ptr<RunProblem> of, const ImportanceRound& r)
    : problem(std::move(of)), round(r), scoring(problem->scoring) {
  scoring.groups.clear();
  scoring.bins.clear();
  if (scoring.lines) scoring.lines->places.clear();
  for (const size_t g : round.groups) {
    scoring.groups.push_back(problem->scoring.groups[g]);
    if (problem->spec.bins) scoring.bins.push_back(problem->scoring.bins[g]);
    if (scoring.lines) scoring.lines->places.push_back(problem->scoring.lines->places[g]);
  }
  scoring.repeats = round.repeats;
  for (int64_t task = 0; task < round.tasks; ++task) {
    cells.push_back({fmt::format("task={}", round.first + task)});
  }
  workers.resize(problem->learners.size());
  const TaskScorer& scorer = *worker(0).scorer;
  costs = scorer.costs();
  for (const TaskColumn& column : scorer.columns()) {
    columns.push_back(column);
    names.push_back(scorer.name_of(column));
  }
  manifest = {"importance of a run", content_of(*problem, scoring)};
}

RunImportanceJob::Impl::Worker& RunImportanceJob::Impl::worker(int thread) {
  auto& place = workers[static_cast<size_t>(thread)];
  if (place) return *place;
  const data::EpisodeSpec& spec = problem->setup.test_tasks->spec();
  place = std::make_unique<Worker>(spec);
  Worker& made = *place;
  made.scorer = std::make_unique<TaskScorer>(
      scoring, problem->learner(thread), spec,
      [this, &made](uint64_t task, uint64_t draw) -> const data::Episode& {
        return other_task(made, task, draw);
      });
  return made;
}

// By (task, draw) any slot that is another task.
const data::Episode& RunImportanceJob::Impl::other_task(Worker& with, uint64_t task,
                                                        uint64_t draw) const {
  const auto there = static_cast<uint64_t>(problem->setup.test_tasks->tasks(problem->spec.split));
  Philox random({.seed = problem->seed,
                 .purpose = Purpose::importance,
                 .iteration = (uint64_t{1} << 44) + task,
                 .slot = static_cast<uint32_t>(draw)});
  uint64_t slot = task;
  while (there == 0 ? slot == task : slot % there == task % there) {
    slot = random.below(kDonorSlots);
  }
  problem->setup.test_tasks->draw(problem->key_of(slot), with.other.buffers());
  return with.other;
}

RunImportanceJob::RunImportanceJob(const RunImportanceSpec& spec) {
  auto problem = std::make_shared<RunProblem>(spec);
  const ImportanceRound round = first_round(*problem);
  impl_ = std::make_unique<Impl>(std::move(problem), round);
}
RunImportanceJob::RunImportanceJob(std::shared_ptr<RunProblem> problem,
                                   const ImportanceRound& round)
    : impl_(std::make_unique<Impl>(std::move(problem), round)) {}
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
const std::shared_ptr<RunProblem>& RunImportanceJob::problem() const {
  return impl_->problem;
}
const ImportanceRound& RunImportanceJob::round() const {
  return impl_->round;
}
TaskCosts RunImportanceJob::costs() const {
  return impl_->costs;
}
TaskWork RunImportanceJob::work() const {
  TaskWork sum;
  for (const auto& worker : impl_->workers) {
    if (!worker) continue;
    const TaskWork& own = worker->scorer->work();
    sum.cells += own.cells;
    sum.spared += own.spared;
    sum.rows += own.rows;
    sum.flops += own.flops;
  }
  return sum;
}
const std::vector<TaskColumn>& RunImportanceJob::task_columns() const {
  return impl_->columns;
}

void RunImportanceJob::run(size_t cell, int thread, std::span<double> values) {
  Impl::Worker& worker = impl_->worker(thread);
  const auto task = static_cast<uint64_t>(impl_->round.first) + cell;
  impl_->problem->setup.test_tasks->draw(impl_->problem->key_of(task), worker.own.buffers());
  worker.scorer->score(worker.own, task, values);
}

}  // namespace outerloop::interp
