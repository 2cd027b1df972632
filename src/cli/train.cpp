// outerloop train: meta-trains by a config, resumes what was interrupted.

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <optional>

#include "cli/long_run.h"
#include "cli/program.h"
#include "cli/ranks.h"
#include "outerloop/base/duration.h"
#include "outerloop/base/error.h"
#include "outerloop/base/memory.h"
#include "outerloop/base/stop_signal.h"
#include "outerloop/checkpoint/checkpoint.h"
#include "outerloop/comm/agreement.h"
#include "outerloop/config/print.h"
#include "outerloop/config/schema.h"
#include "outerloop/optim/outer.h"
#include "outerloop/report/report.h"
#include "outerloop/train/forecast.h"
#include "outerloop/train/run_folder.h"
#include "outerloop/train/session.h"

namespace outerloop::cli {
namespace {

std::string in_words(std::chrono::milliseconds duration) {
  return format_duration(std::chrono::duration_cast<std::chrono::seconds>(duration));
}

struct TrainArguments {
  std::string config;
  std::vector<std::string> overrides;
  std::string resume = "auto";
  std::optional<std::string> max_wall;
  std::string rank_silence = in_words(comm::WatchdogOptions{}.silence);
  std::string rank_stall = in_words(comm::WatchdogOptions{}.stall);
  bool print_config = false;
  bool dry_run = false;
  bool quiet = false;
};

comm::WatchdogOptions watchdog_options(const TrainArguments& options) {
  comm::WatchdogOptions result{.silence = duration_of("--rank-silence", options.rank_silence),
                               .stall = duration_of("--rank-stall", options.rank_stall)};
  if (result.silence < kShortestSilence || result.stall < kShortestSilence) {
    throw BadInput(fmt::format("--rank-silence and --rank-stall: expected {} or more",
                               format_duration(kShortestSilence)));
  }
  return result;
}

train::TrainOptions train_options(const TrainArguments& options) {
  train::TrainOptions result;
  if (options.resume == "never") {
    result.resume = train::Resume::never;
  } else if (options.resume != "auto") {
    if (!std::filesystem::is_regular_file(options.resume)) {
      throw BadInput(fmt::format("--resume: expected auto, never or a checkpoint file, got '{}'",
                                 options.resume));
    }
    checkpoint::require_checkpoint(options.resume);
    checkpoint::verify_checkpoint(options.resume);
    result.resume_from = options.resume;
  }
  result.max_wall = max_wall_of(options.max_wall);
  return result;
}

// What the user sees of a training: on rank 0 alone.
class Display {
 public:
  Display(const TrainArguments& options, const config::Config& config, ColorMode color)
      : progress_({.terminal = detect_terminal(STDERR_FILENO, color),
                   .total = config.outer.iterations,
                   .line_every_seconds = config.log.every_seconds},
                  tell),
        quiet_(options.quiet),
        is_new_(options.resume == "never") {
    if (quiet_) return;
    log_.add(LogLevel::info, [this](LogLevel level, std::string_view message) {
      progress_.clear();
      tell(line_of(level, message));
    });
  }

  void show_in(train::TrainOptions& settings) {
    settings.log = &log_;
    if (quiet_) return;
    settings.on_iteration = [this](const Progress::Sample& sample) { progress_.update(sample); };
  }
  // So that what comes next begins on a line of its own.
  void finish() { progress_.finish(); }

  int conclude(const train::TrainResult& result, const config::Config& config) {
    if (result.outcome == train::Outcome::stopped) {
      log_.info("the same command{} goes on from iteration {}",
                is_new_ ? " with --resume=auto" : "", result.iterations);
      return kStopped;
    }
    const train::RunFolder folder{config.run_dir};
    if (result.outcome == train::Outcome::finished_before) {
      const bool may_grow =
          result.iterations == config.outer.iterations && !optim::rate_needs_the_end(config.outer);
      log_.info("{} is finished{}", folder.root.string(),
                may_grow ? "; a larger outer.iterations trains it longer" : "");
    }
    fmt::print("{}", train::describe_summary(folder));
    if (config.report.write) fmt::print("report {}\n", report::write(folder.root).string());
    return kDone;
  }

 private:
  Progress progress_;
  Log log_;
  bool quiet_;
  bool is_new_;
};

// The config of a run means that run, whatever it says.
void tell_whose_run(const TrainArguments& options, const config::Resolved& resolved) {
  const auto place = static_cast<size_t>(config::find_key("run_dir") - config::schema().data());
  if (options.quiet || !resolved.origins[place].starts_with("the folder of ")) return;
  tell(fmt::format("run_dir is {}, where the config lies; run_dir=FOLDER means another\n",
                   resolved.config.run_dir));
}

void show_forecast(const TrainArguments& options, const config::Resolved& resolved) {
  const train::MemoryForecast forecast = train::forecast_memory(resolved);
  fmt::print("{}", train::describe(forecast));
  const int64_t needed = forecast.buffer_bytes + forecast.data_bytes;
  const std::optional<int64_t> available = available_memory();
  if (options.quiet || forecast.is_for_gpu || !available || needed <= *available) return;
  constexpr int64_t kMiB = 1 << 20;
  tell(fmt::format("warning: buffers and data set need {} MiB, and this machine has {} MiB left\n",
                   needed / kMiB, *available / kMiB));
}

int train_on(comm::Communicator& ranks, const TrainArguments& options, ColorMode color) {
  train::TrainOptions settings;
  comm::WatchdogOptions watching{};
  config::Resolved resolved;
  comm::fail_together(ranks, "command line and config", [&] {
    settings = train_options(options);
    watching = watchdog_options(options);
    resolved = config::read_config(options.config, options.overrides);
  });
  const bool leads = ranks.rank() == 0;
  if (options.print_config) {
    if (leads) fmt::print("{}", config::describe_origins(resolved));
    return kDone;
  }
  if (options.dry_run) {
    if (leads) show_forecast(options, resolved);
    return kDone;
  }
  const StopSignal signal;
  settings.stop_requested = [&signal] { return name_of_signal(signal.received()); };
  settings.ranks = &ranks;
  settings.nccl.stall = watching.stall + std::chrono::minutes(1);  // the watchdog knows more
  const comm::Watchdog watchdog =
      watch(ranks, watching, train::RunFolder{resolved.config.run_dir}.log(ranks.rank()));
  Display display(options, resolved.config, color);
  if (leads) {
    display.show_in(settings);
    tell_whose_run(options, resolved);
  }
  train::TrainResult result;
  try {
    result = train::train(resolved, settings);
  } catch (...) {
    display.finish();
    throw;
  }
  display.finish();
  if (!leads) return result.outcome == train::Outcome::stopped ? kStopped : kDone;
  return display.conclude(result, resolved.config);
}

int run(const TrainArguments& options, ColorMode color) {
  return run_on_ranks([&](comm::Communicator& ranks) { return train_on(ranks, options, color); },
                      color);
}

}  // namespace

void add_train(Program& program) {
  auto options = std::make_shared<TrainArguments>();
  Command command = program.app.add_subcommand("train", "Meta-train by a config");
  command.add_option("CONFIG", options->config, "YAML file").required();
  command.add_option("OVERRIDES", options->overrides, "key=value words");
  command
      .add_option("--resume", options->resume,
                  "auto: from the newest checkpoint; never: refuse a run_dir that has some; or a "
                  "checkpoint file")
      .capture_default_str();
  command.add_option("--max-wall", options->max_wall,
                     "stop with a checkpoint after this time, such as 3h50m");
  command
      .add_option("--rank-silence", options->rank_silence,
                  "end with the name of a rank that gave no sign of life for so long")
      .capture_default_str();
  command
      .add_option("--rank-stall", options->rank_stall,
                  "end with the name of a living rank that others waited for so long")
      .capture_default_str();
  command.add_flag("--print-config", options->print_config,
                   "show every value and where it comes from, and end");
  command.add_flag("--dry-run", options->dry_run,
                   "check config and data, show memory and work per task, and end");
  command.add_flag("--quiet", options->quiet, "no progress and no notices");
  command.callback([&program, options] {
    program.action = [&program, options] { return run(*options, program.color); };
  });
}

}  // namespace outerloop::cli
