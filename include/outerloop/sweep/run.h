#pragma once
// Working off the points of a sweep as processes of the program.

#include <filesystem>
#include <string>

#include "outerloop/farm/run.h"
#include "outerloop/sweep/plan.h"

namespace outerloop::sweep {

struct RunOptions {
  std::filesystem::path program;  // that `train` is a subcommand of
  int workers = 1;                // trainings at a time; several take this machine's GPUs in turn
  farm::RunOptions farm;          // shard, stop, progress and log, which is not null; no journal
};

struct RunOutcome {
  int64_t done = 0;       // of the shard, before or now
  int64_t failed = 0;     // before or now
  int64_t elsewhere = 0;  // other workers have them
  std::string stopped;    // why points are left; the same call goes on
};

// Trains every point of the shard that is neither done, nor failed, nor another worker's. When a
// stop is requested the trainings are asked to stop, and awaited. A training that ends with 75 is
// started again; any other failure is kept with its first error line.
// Throws SystemFailure.
RunOutcome run(const SweepFolder& folder, const Plan& plan, const RunOptions& options);

}  // namespace outerloop::sweep
