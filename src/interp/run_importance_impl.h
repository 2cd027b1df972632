#pragma once
// What the rounds of a job and the fold of their results share.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "outerloop/interp/run_importance.h"
#include "outerloop/train/setup.h"
#include "outerloop/train/stored_run.h"

namespace outerloop::interp {

// A run, its tasks and what is asked of them.
struct RunProblem {
  explicit RunProblem(const RunImportanceSpec& spec);

  data::TaskKey key_of(uint64_t slot) const;
  // Of a set of images; empty for other tasks.
  std::string split_scheme() const;
  // Throws BadInput, beginning with the flag that needs them, where the data give none.
  void require_training_tasks(std::string_view flag) const;
  // Of each input over training tasks; throws as above.
  const std::vector<float>& training_means(std::string_view flag);
  // Made when its thread asks for it first.
  TaskLearner& learner(int thread);

  RunImportanceSpec spec;
  train::StoredRun stored;
  train::Setup setup;
  std::string content_hash;
  Tensor theta;
  uint64_t seed;
  TaskScoring scoring;           // all groups
  std::vector<PlaceBin> places;  // its bins with ends that can be drawn
  std::vector<float> means;      // of training_means(), once it was asked
  std::vector<int32_t> regions;  // images: the group of each pixel, where all images have the same
  int64_t tasks = 0;             // to be scored at most
  std::vector<std::unique_ptr<TaskLearner>> learners;
};

struct RunImportanceJob::Impl {
  // One thread's.
  struct Worker {
    explicit Worker(const data::EpisodeSpec& spec) : own(spec), other(spec) {}
    data::Episode own, other;
    std::unique_ptr<TaskScorer> scorer;
  };

  Impl(std::shared_ptr<RunProblem> of, const ImportanceRound& r);

  // Made when its thread asks for it first.
  Worker& worker(int thread);
  const data::Episode& other_task(Worker& with, uint64_t task, uint64_t draw) const;

  std::shared_ptr<RunProblem> problem;
  ImportanceRound round;
  TaskScoring scoring;  // the round's groups and repeats
  TaskCosts costs;
  std::vector<std::unique_ptr<Worker>> workers;
  std::vector<farm::Cell> cells;
  std::vector<TaskColumn> columns;
  std::vector<std::string> names;
  farm::Manifest manifest;
};

// A round that was run.
struct DoneRound {
  const RunImportanceJob* job = nullptr;
  const farm::Results* results = nullptr;

  bool is_finite(size_t cell) const;
};

// Of the round that all groups are in. Throws BadInput where there is nothing to take a mean of.
void require_finite_tasks(const DoneRound& first);

RunImportance fold_rounds(const RunProblem& problem, std::span<const DoneRound> rounds);

}  // namespace outerloop::interp
