#pragma once
// Working off the points of a sweep as processes of the program.

#include <filesystem>
#include <functional>

#include "outerloop/base/log.h"
#include "outerloop/sweep/plan.h"

namespace outerloop::sweep {

// Of `count` workers, worker `index` takes the points whose number leaves this remainder.
struct Shard {
  int64_t index = 0;
  int64_t count = 1;
  bool has(const Point& point) const { return point.number % count == index; }
};

struct RunOptions {
  std::filesystem::path program;  // that `train` is a subcommand of
  int workers = 1;                // trainings at a time
  Shard shard;
  std::function<bool()> stop_requested = [] { return false; };
  Log* log = nullptr;  // never null in run()
};

struct RunOutcome {
  int64_t done = 0;       // of the shard, before or now
  int64_t failed = 0;     // before or now
  int64_t elsewhere = 0;  // other workers have them
  bool stopped = false;   // points are left; the same call goes on
};

// Trains every point of the shard that is neither done, nor failed, nor another worker's. When a
// stop is requested the trainings are asked to stop, and awaited. A training that ends with 75 is
// started again; any other failure is kept with its first error line.
// Single-threaded: it forks. Throws SystemFailure.
RunOutcome run(const SweepFolder& folder, const Plan& plan, const RunOptions& options);

}  // namespace outerloop::sweep
