#include "cli/farm_job.h"

#include <fmt/format.h>
#include <unistd.h>

#include "cli/long_run.h"
#include "outerloop/base/error.h"

namespace outerloop::cli {

void add_farm_flags(Command command, FarmFlags& flags, const std::string& shard_help) {
  command.add_option("--shard", flags.shard,
                     "I/N: of N processes the one with number I, from 0; " + shard_help);
  command.add_option("--max-wall", flags.max_wall,
                     "stop after this time, such as 3h50m, with all that is finished");
  command.add_flag("--quiet", flags.quiet, "no progress and no notices");
}

void add_lease_flag(Command command, FarmFlags& flags) {
  command
      .add_option(
          "--lease", flags.lease,
          "longest time for a cell; then another rank runs it too, and a rank that does not "
          "answer for so long is left behind; before and after the cells it ends the run")
      .capture_default_str();
}

farm::RunOptions farm_options(const FarmFlags& flags) {
  const std::chrono::seconds lease = duration_of("--lease", flags.lease);
  if (lease == std::chrono::seconds(0)) throw BadInput("--lease: expected more than 0s");
  return {.shard = farm::parse_shard(flags.shard),
          .lease = lease,
          .max_wall = max_wall_of(flags.max_wall)};
}

FarmSession::FarmSession(bool shows, ColorMode color)
    : shows_(shows), terminal_(detect_terminal(STDERR_FILENO, color)) {
  if (!shows_) return;
  log_.add(LogLevel::info, [this](LogLevel level, std::string_view text) { say(level, text); });
}

void FarmSession::attend(farm::RunOptions& options) {
  options.stop_requested = [this] { return name_of_signal(signal_.received()); };
  options.log = &log_;
  if (shows_) options.on_progress = [this](const farm::Progress& now) { show(now); };
}

void FarmSession::finish() {
  const std::lock_guard lock(mutex_);
  if (bar_) bar_->finish();
  bar_.reset();  // another job has a bar of its own
}

void FarmSession::show(const farm::Progress& progress) {
  const std::lock_guard lock(mutex_);
  if (!bar_) {
    bar_.emplace(
        Progress::Options{
            .terminal = terminal_, .total = progress.cells, .unit = "cells", .one = "cell"},
        tell);
  }
  bar_->update({.done = progress.done});
}

void FarmSession::say(LogLevel level, std::string_view message) {
  const std::lock_guard lock(mutex_);
  if (bar_) bar_->clear();
  tell(line_of(level, message));
}

}  // namespace outerloop::cli
