#pragma once
// What commands that run a job of the farm have in common: options, progress and stops.

#include <mutex>
#include <optional>
#include <string>

#include "cli/program.h"
#include "outerloop/base/progress.h"
#include "outerloop/base/stop_signal.h"
#include "outerloop/farm/run.h"

namespace outerloop::cli {

struct FarmFlags {
  std::string shard;
  std::optional<std::string> max_wall;
  std::string lease = "60s";
  bool quiet = false;
};

// --shard, --max-wall and --quiet. `shard_help`: what those of a shard do.
void add_farm_flags(Command command, FarmFlags& flags, const std::string& shard_help);

// --lease, of commands that run on ranks.
void add_lease_flag(Command command, FarmFlags& flags);

// Shard and times. Throws BadInput.
farm::RunOptions farm_options(const FarmFlags& flags);

// While it lives, signals ask the run to stop, and its progress and messages are shown.
class FarmSession {
 public:
  // `shows`: this process does, not another rank.
  FarmSession(bool shows, ColorMode color);
  ~FarmSession() { finish(); }
  FarmSession(const FarmSession&) = delete;
  FarmSession& operator=(const FarmSession&) = delete;

  // Adds what it does to the options of the run.
  void attend(farm::RunOptions& options);
  // So that what comes next begins on a line of its own.
  void finish();
  Log& log() { return log_; }

 private:
  void show(const farm::Progress& progress);
  void say(LogLevel level, std::string_view message);

  bool shows_;
  Terminal terminal_;
  StopSignal signal_;
  std::mutex mutex_;  // progress and messages come from different threads
  std::optional<Progress> bar_;
  Log log_;
};

}  // namespace outerloop::cli
