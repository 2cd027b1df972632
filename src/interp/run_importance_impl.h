#pragma once
// What the job and the fold of its results share.

#include <memory>
#include <string>
#include <vector>

#include "outerloop/interp/run_importance.h"
#include "outerloop/train/setup.h"
#include "outerloop/train/stored_run.h"

namespace outerloop::interp {

struct RunImportanceJob::Impl {
  // One thread's.
  struct Worker {
    explicit Worker(const data::EpisodeSpec& spec) : own(spec), other(spec) {}
    data::Episode own, other;
    std::unique_ptr<TaskLearner> learner;
    std::unique_ptr<TaskScorer> scorer;
  };

  explicit Impl(const RunImportanceSpec& spec);

  // Made when its thread asks for it first.
  Worker& worker(int thread);
  const data::Episode& other_task(Worker& with, uint64_t task, uint64_t draw) const;

  RunImportanceSpec spec;
  train::StoredRun stored;
  train::Setup setup;
  std::string content_hash;
  Tensor theta;
  uint64_t seed;
  TaskScoring scoring;
  std::array<int64_t, 2> grid = {0, 0};
  std::vector<std::unique_ptr<Worker>> workers;
  std::vector<farm::Cell> cells;
  std::vector<TaskColumn> columns;
  std::vector<std::string> names;
  farm::Manifest manifest;
};

}  // namespace outerloop::interp
