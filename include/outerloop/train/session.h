#pragma once
// A training run from its config to its summary, interrupted and resumed at will.

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "outerloop/base/log.h"
#include "outerloop/base/progress.h"
#include "outerloop/comm/communicator.h"
#include "outerloop/comm/nccl.h"
#include "outerloop/config/read.h"
#include "outerloop/train/evaluation.h"
#include "outerloop/train/meta_step.h"

namespace outerloop::train {

enum class Resume { automatic, never };

struct TrainOptions {
  Resume resume = Resume::automatic;
  std::optional<std::filesystem::path> resume_from;  // a checkpoint file, before all others
  std::optional<std::chrono::seconds> max_wall;
  Log* log = nullptr;
  // Null: this process alone. Results do not depend on how many ranks share the work. All ranks
  // call train() with the same config; what is wrong on one is thrown on all (comm::Agreed), and
  // the files are those of rank 0.
  comm::Communicator* ranks = nullptr;
  comm::NcclOptions nccl;  // where the ranks have a GPU each
  // Told of each iteration in turn; may be empty.
  std::function<void(const Progress::Sample&)> on_iteration;
  // For tests: what computes in place of what runtime.device says, and see meta_step.h.
  std::shared_ptr<exec::Device> device;
  GradientHook gradient_hook;
  // Asked before each iteration and before tasks of a validation or test, which it ends: the
  // name of who wants the run to stop ("SIGTERM"), or nothing. A device that computes iterations
  // without the host does all until the next line of metrics, validation or checkpoint, at most
  // 256. May be empty.
  std::function<std::string()> stop_requested;
};

enum class Outcome {
  done,             // all iterations, or early stopping; the summary is written
  finished_before,  // there was nothing left to do, and nothing was changed
  stopped,          // asked to stop: a checkpoint is written, run again to go on (exit code 75)
};

struct TrainResult {
  Outcome outcome = Outcome::done;
  int64_t iterations = 0;  // done so far, earlier processes included
  std::string why;         // of a stop
  std::filesystem::path folder;
};

// What a run computes depends on its config alone: not on interruptions, threads or instructions.
// A run that is finished goes on when outer.iterations is raised, unless outer.schedule is cosine
// or linear, or it has stopped early; its parameters are then those of one longer run.
//
// Throws BadInput when the folder holds a run of another config, is not writable or in use,
// SystemFailure when the disk is full, too many tasks gave non-finite results, or a time limit came
// in an evaluation before this process had done anything else.
TrainResult train(const config::Resolved& resolved, const TrainOptions& options);

}  // namespace outerloop::train
