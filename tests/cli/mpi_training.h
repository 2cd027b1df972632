#pragma once
// Trainings under the MPI launcher, and what stays of them.

#include <nlohmann/json.hpp>

#include "cli/process.h"
#include "train/runs.h"

namespace outerloop::cli {

using train::lasting_metrics;
using train::newest_checkpoint;
using train::same_checkpoints;

inline Ended train_on(int ranks, const std::string& config, const std::filesystem::path& run,
                      const Words& words) {
  const Words command = Words{OUTERLOOP_MPIEXEC_RANKS,
                              std::to_string(ranks),
                              OUTERLOOP_BINARY_DIR "/outerloop",
                              "train",
                              OUTERLOOP_SOURCE_DIR "/configs/" + config + ".yaml",
                              "run_dir=" + run.string(),
                              "--quiet"} +
                        words;
  return Process(settled(command), {}, OUTERLOOP_MPIEXEC).wait();
}

// What stays of a summary when places and times are left out.
inline nlohmann::json lasting_summary(const std::filesystem::path& run) {
  nlohmann::json summary = train::summary_of(run);
  for (const char* key : {"wall_s", "tasks_per_s", "checkpoint", "final_checkpoint"}) {
    summary.erase(key);
  }
  return summary;
}

}  // namespace outerloop::cli
