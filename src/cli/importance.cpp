// outerloop importance: what a model relies on.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>

#include "cli/farm_job.h"
#include "cli/importance_flags.h"
#include "cli/program.h"
#include "cli/ranks.h"
#include "outerloop/base/error.h"
#include "outerloop/base/stopwatch.h"
#include "outerloop/comm/agreement.h"
#include "outerloop/farm/run.h"
#include "outerloop/interp/importance_run.h"
#include "outerloop/interp/run_budget.h"
#include "outerloop/report/importance_report.h"

namespace outerloop::cli {
namespace {

struct ImportanceArguments {
  std::string source;
  std::vector<std::string> words;
  FarmFlags farm;
  RunImportanceFlags of_run;
};

// A job, where its files go, and what is made of its results.
struct Work {
  std::unique_ptr<farm::Job> job;
  std::unique_ptr<interp::RunBudget> budget;  // gives jobs instead, round by round
  interp::ImportanceFolder folder;
  int threads = 1;
  std::function<void(const farm::Results&)> conclude;
};

// While it lives a rank that does not answer for as long as a lease, or as kShortestSilence where
// that is longer, ends the run. The farm needs none: it leaves such a rank behind. Collective.
comm::Watchdog watch_outside_farm(comm::Communicator& ranks, std::chrono::milliseconds lease) {
  return watch(ranks, {.silence = std::max<std::chrono::milliseconds>(lease, kShortestSilence)},
               /*log=*/{});
}

template <class Result>
void present(const interp::ImportanceFolder& folder, const Result& result) {
  fmt::print("{}", interp::to_text(result));
  for (const auto& file : report::write_importance(folder, result)) {
    fmt::print("{}\n", file.string());
  }
}

Work work_on_table(const ImportanceArguments& options) {
  refuse_flags_of_runs(options.of_run);
  const auto spec = interp::read_importance_spec(options.source, options.words);
  auto job = std::make_unique<interp::ImportanceJob>(spec);
  Work work{.folder = {spec.run_dir}, .threads = static_cast<int>(spec.threads)};
  work.conclude = [&job = *job, folder = work.folder](const farm::Results& results) {
    present(folder, job.fold(results));
  };
  work.job = std::move(job);
  return work;
}

Work work_on_run(const ImportanceArguments& options) {
  const interp::RunImportanceSpec spec =
      run_importance_spec(options.source, options.words, options.of_run);
  Work work{.folder = {run_importance_folder(options.source, options.of_run), "--out"},
            .threads = spec.threads};
  if (spec.budget) {
    work.budget = std::make_unique<interp::RunBudget>(spec);
    return work;
  }
  auto job = std::make_unique<interp::RunImportanceJob>(spec);
  work.conclude = [&job = *job, folder = work.folder](const farm::Results& results) {
    present(folder, job.fold(results));
  };
  work.job = std::move(job);
  return work;
}

int conclude(const Work& work, const farm::Outcome& outcome, const farm::RunOptions& settings,
             Log& log) {
  if (!outcome.stopped.empty()) {
    log.info("stopped ({}) with {} of {} cells done; the same command goes on", outcome.stopped,
             outcome.progress.done, outcome.progress.cells);
    return kStopped;
  }
  if (!outcome.results.complete()) {
    const auto journal = work.folder.journal();
    fmt::print(
        "{}: all cells of this shard, {}; `outerloop farm merge {} {}` and then the command "
        "without --shard give the report\n",
        settings.journal.string(), outcome.progress.done, journal.string(),
        (journal.parent_path() / "importance-*of*.h5").string());
    return kDone;
  }
  work.conclude(outcome.results);
  return kDone;
}

void say_hung(comm::Communicator& ranks, const farm::Outcome& outcome, int code) {
  const auto rank = static_cast<size_t>(outcome.hung.front());
  tell(fmt::format("warning: rank {} on {} does not answer{}\n", rank, ranks.hosts()[rank],
                   outcome.stopped.empty() ? "; its cells were run by others" : ""));
  std::fflush(stdout);  // which the abort does not
  ranks.abort(code);
}

constexpr int64_t kStopNow = -1;  // in place of the tasks of the next round

// Rounds until the budget is spent, each with a journal of its own.
struct Rounds {
  comm::Communicator& ranks;
  const Work& work;
  const farm::RunOptions& settings;  // max_wall: of all rounds
  FarmSession& session;
  ThreadPool& pool;
  Stopwatch since_begin = {};

  bool leads() const { return ranks.rank() == 0; }

  bool is_to_stop() const {
    if (!settings.stop_requested().empty()) return true;
    const auto& most = settings.max_wall;
    return most && since_begin.seconds() >= static_cast<double>(most->count());
  }

  farm::Outcome run_jobs() const {
    farm::RunOptions own = settings;
    own.journal = work.folder.journal_of_round(work.budget->number());
    if (own.max_wall) {
      const auto left =
          *own.max_wall - std::chrono::seconds(static_cast<int64_t>(since_begin.seconds()));
      own.max_wall = std::max(left, std::chrono::seconds(0));
    }
    farm::Outcome outcome = farm::run(work.budget->round(), ranks, pool, own);
    session.finish();
    return outcome;
  }

  // What is next, the same on all ranks.
  std::vector<int64_t> plan_after(farm::Outcome outcome) const {
    std::vector<int64_t> plan(work.budget->plan_size());
    bool stops = false;
    comm::fail_together(ranks, "budget", [&] {
      if (!leads()) return;
      plan = work.budget->plan(std::move(outcome.results));
      // A short round may be over before the farm looks at the signal or the clock.
      stops = plan.front() > 0 && is_to_stop();
    });
    if (stops) plan.front() = kStopNow;
    ranks.broadcast("budget", std::span(plan), 0);
    return plan;
  }

  // The exit code, if no round follows.
  std::optional<int> run_one() const {
    farm::Outcome outcome = run_jobs();
    const bool goes_on = outcome.stopped.empty() && outcome.hung.empty();
    if (leads() && !goes_on) {
      session.log().info("round {} has {} of {} cells done; the same command goes on",
                         work.budget->number(), outcome.progress.done, outcome.progress.cells);
      if (!outcome.hung.empty()) say_hung(ranks, outcome, kStopped);
    }
    if (!goes_on) return kStopped;
    const comm::Watchdog watchdog = watch_outside_farm(ranks, settings.lease);
    const std::vector<int64_t> plan = plan_after(std::move(outcome));
    if (plan.front() == kStopNow) {
      session.log().info("stopped after round {}; the same command goes on", work.budget->number());
      return kStopped;
    }
    const bool is_over = !work.budget->begin(plan);
    if (is_over && leads()) present(work.folder, work.budget->fold());
    ranks.barrier("end of round");
    if (is_over) return kDone;
    return std::nullopt;
  }
};

int run_in_rounds(const Rounds& rounds) {
  while (true) {
    if (const std::optional<int> code = rounds.run_one()) return *code;
  }
}

farm::RunOptions farm_options_of(const ImportanceArguments& options) {
  farm::RunOptions settings = farm_options(options.farm);
  if (settings.shard.count > 1 && options.of_run.budget && is_run(options.source)) {
    throw BadInput(
        "--budget auto decides after each round from all of its results, which a shard does not "
        "have; give --tasks and --repeats, or start it on several ranks");
  }
  return settings;
}

int run_on(comm::Communicator& ranks, const ImportanceArguments& options, ColorMode color) {
  farm::RunOptions settings;
  Work work;
  const bool leads = ranks.rank() == 0;
  comm::fail_together(ranks, "command line", [&] { settings = farm_options_of(options); });
  {
    const comm::Watchdog watchdog = watch_outside_farm(ranks, settings.lease);
    comm::fail_together(ranks, "config", [&] {
      work = is_run(options.source) ? work_on_run(options) : work_on_table(options);
      settings.journal = work.folder.journal(settings.shard);
      settings.way_out = work.folder.way_out();
      if (!leads) return;
      work.folder.prepare(work.budget ? interp::Repeats::in_rounds : interp::Repeats::fixed);
    });
  }
  FarmSession session(leads && !options.farm.quiet, color);
  session.attend(settings);
  ThreadPool pool(work.threads);
  if (work.budget) return run_in_rounds({ranks, work, settings, session, pool});
  const farm::Outcome outcome = farm::run(*work.job, ranks, pool, settings);
  session.finish();
  if (!outcome.hung.empty()) {
    say_hung(ranks, outcome, conclude(work, outcome, settings, session.log()));
  }
  const comm::Watchdog watchdog = watch_outside_farm(ranks, settings.lease);
  const int code = leads ? conclude(work, outcome, settings, session.log())
                         : (outcome.stopped.empty() ? kDone : kStopped);
  ranks.barrier("end");
  return code;
}

}  // namespace

void add_importance(Program& program) {
  auto options = std::make_shared<ImportanceArguments>();
  Command command =
      program.app.add_subcommand("importance", "What a learner, or a model of a table, relies on");
  command
      .add_option("SOURCE", options->source,
                  "Run folder or checkpoint file of a meta-learner, or YAML file of a model of a "
                  "table")
      .required();
  command
      .add_option("WORDS", options->words,
                  "key=value: over the file, or of a run's protocol (test.steps=5)")
      .type_name("key=value");
  add_scoring_flags(command, options->of_run);
  add_budget_and_folder_flags(command, options->of_run);
  add_farm_flags(command, options->farm,
                 "each has a journal of its own, which `outerloop farm merge` joins");
  add_lease_flag(command, options->farm);
  command.footer("Keys of the YAML file:\n" + interp::help_on_importance());
  command.callback([&program, options] {
    program.action = [&program, options] {
      return run_on_ranks(
          [&](comm::Communicator& ranks) { return run_on(ranks, *options, program.color); },
          program.color);
    };
  });
}

}  // namespace outerloop::cli
