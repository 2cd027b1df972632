// outerloop importance: what a model relies on.

#include <fmt/format.h>
#include <string.h>
#include <unistd.h>

#include <memory>
#include <optional>

#include "cli/program.h"
#include "cli/ranks.h"
#include "outerloop/base/duration.h"
#include "outerloop/base/error.h"
#include "outerloop/base/log.h"
#include "outerloop/base/progress.h"
#include "outerloop/base/stop_signal.h"
#include "outerloop/comm/agreement.h"
#include "outerloop/farm/run.h"
#include "outerloop/interp/importance_run.h"
#include "outerloop/report/importance_report.h"

namespace outerloop::cli {
namespace {

struct Options {
  std::string config;
  std::vector<std::string> words;
  std::string shard;
  std::optional<std::string> max_wall;
  bool quiet = false;
};

std::optional<std::chrono::seconds> max_wall(const Options& options) {
  if (!options.max_wall) return std::nullopt;
  try {
    return parse_duration(*options.max_wall);
  } catch (const BadInput& error) {
    throw BadInput(fmt::format("--max-wall: {}", error.what()));
  }
}

int conclude(const interp::ImportanceJob& job, const farm::Outcome& outcome,
             const interp::ImportanceFolder& folder, const farm::RunOptions& settings, Log& log) {
  if (!outcome.stopped.empty()) {
    log.info("stopped ({}) with {} of {} cells done; the same command goes on", outcome.stopped,
             outcome.progress.done, outcome.progress.cells);
    return kStopped;
  }
  if (!outcome.results.complete()) {
    fmt::print(
        "{}: {} cells, complete for this shard; `outerloop farm merge {}` of all shards, and "
        "the command without --shard, give the report\n",
        settings.journal.string(), outcome.progress.done, folder.journal().string());
    return kDone;
  }
  const interp::ImportanceResult result = job.fold(outcome.results);
  fmt::print("{}", interp::to_text(result));
  for (const auto& file : report::write_importance(folder, result)) {
    fmt::print("{}\n", file.string());
  }
  return kDone;
}

int run_on(comm::Communicator& ranks, const Options& options, ColorMode color) {
  interp::ImportanceFolder folder;
  farm::RunOptions settings;
  int threads = 0;
  std::unique_ptr<interp::ImportanceJob> job;
  const bool leads = ranks.rank() == 0;
  comm::fail_together(ranks, "command line and config", [&] {
    const auto spec = interp::read_importance_spec(options.config, options.words);
    settings.shard = farm::parse_shard(options.shard);
    settings.max_wall = max_wall(options);
    threads = static_cast<int>(spec.threads);
    job = std::make_unique<interp::ImportanceJob>(spec);
    folder.root = spec.run_dir;
    settings.journal = folder.journal(settings.shard);
    if (leads) folder.prepare();
  });
  const StopSignal signal;
  settings.stop_requested = [&signal] {
    const int received = signal.received();
    return received == 0 ? std::string() : fmt::format("SIG{}", sigabbrev_np(received));
  };
  // As many as the shard has.
  const auto [index, count] = settings.shard;
  const int64_t total = (static_cast<int64_t>(job->cells().size()) - index + count - 1) / count;
  Progress progress(
      {.terminal = detect_terminal(STDERR_FILENO, color), .total = total, .unit = "cells"}, tell);
  Log log;
  if (leads && !options.quiet) {
    settings.on_progress = [&](const farm::Progress& now) { progress.update({.done = now.done}); };
    log.add(LogLevel::info, [&progress](LogLevel level, std::string_view message) {
      progress.clear();
      tell(fmt::format("{}{}\n", level == LogLevel::warning ? "warning: " : "", message));
    });
  }
  settings.log = &log;
  ThreadPool pool(threads);
  farm::Outcome outcome;
  try {
    outcome = farm::run(*job, ranks, pool, settings);
  } catch (...) {
    progress.finish();
    throw;
  }
  progress.finish();
  const int code = leads ? conclude(*job, outcome, folder, settings, log)
                         : (outcome.stopped.empty() ? kDone : kStopped);
  if (!outcome.hung.empty()) ranks.abort(code);
  return code;
}

}  // namespace

void add_importance(Program& program) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      program.app.add_subcommand("importance", "Permutation importance of the features of a table");
  command->add_option("CONFIG", options->config, "YAML file")->required();
  command->add_option("WORDS", options->words, "key=value, over the file")->type_name("key=value");
  command->add_option("--shard", options->shard,
                      "I/N: of N processes the one with number I, from 0, with its own journal");
  command->add_option("--max-wall", options->max_wall, "stop after this time, such as 3h50m");
  command->add_flag("--quiet", options->quiet, "no progress and no notices");
  command->footer("Keys of the config:\n" + interp::help_on_importance());
  command->callback([&program, options] {
    program.action = [&program, options] {
      return run_on_ranks(
          [&](comm::Communicator& ranks) { return run_on(ranks, *options, program.color); });
    };
  });
}

}  // namespace outerloop::cli
