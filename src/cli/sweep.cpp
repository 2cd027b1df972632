// outerloop sweep: many trainings of one config.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/farm_job.h"
#include "cli/program.h"
#include "outerloop/base/error.h"
#include "outerloop/base/program_files.h"
#include "outerloop/report/sweep_report.h"
#include "outerloop/sweep/result.h"
#include "outerloop/sweep/run.h"
#include "outerloop/sweep/state.h"

namespace outerloop::cli {
namespace {

namespace fs = std::filesystem;
using sweep::SweepFolder;

constexpr size_t kShownSettings = 10;

struct SweepArguments {
  std::string path;  // of the spec or the sweep
  std::string out;
  FarmFlags farm;
  ColorMode color = ColorMode::automatic;
  int workers = 1;
  int64_t tasks = 0;
  std::vector<std::string> slurm;
  bool print = false;
  bool fresh = false;
};

int plan(const SweepArguments& options) {
  const fs::path spec = options.path;
  const SweepFolder folder{options.out.empty() ? fs::path("runs") / spec.stem()
                                               : fs::path(options.out)};
  const sweep::Plan plan = sweep::read_spec(spec, folder);
  const bool changed = sweep::write_plan(plan, folder);
  fmt::print("{}: {} points, {}\n", folder.root.string(), plan.points.size(),
             changed ? "planned" : "as planned before");
  return kDone;
}

int run(const SweepArguments& options) {
  sweep::RunOptions settings{.program = program_files().command,
                             .workers = options.workers,
                             .farm = farm_options(options.farm)};
  const SweepFolder folder{options.path};
  const sweep::Plan plan = sweep::read_plan(folder);
  FarmSession session(!options.farm.quiet, options.color);
  session.attend(settings.farm);
  const sweep::RunOutcome outcome = sweep::run(folder, plan, settings);
  session.finish();
  fmt::print("{} done, {} failed, {} with other workers\n", outcome.done, outcome.failed,
             outcome.elsewhere);
  if (!outcome.stopped.empty()) {
    tell("stopped; the same command goes on\n");
    return kStopped;
  }
  if (outcome.failed > 0) {
    tell(
        fmt::format("`outerloop sweep status {0}` lists failures, `outerloop sweep retry {0}` lets "
                    "them run again\n",
                    folder.root.string()));
  }
  return outcome.failed > 0 ? kFailed : kDone;
}

// Beside the program in its source tree or where it is installed.
fs::path sweep_script() {
  const fs::path beside = program_files().command.parent_path();
  for (const char* place : {"../../launch", "../share/outerloop/launch"}) {
    const fs::path script = (beside / place / "sweep.sbatch").lexically_normal();
    if (fs::is_regular_file(script)) return script;
  }
  throw BadInput(
      fmt::format("sweep.sbatch is not near {}; run sbatch by hand with the script of "
                  "the source tree's folder launch",
                  program_files().command.string()));
}

// As it is where it means itself to a shell, else in quotes.
std::string shell_word(const std::string& word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+,-./:=@_";
  if (!word.empty() && word.find_first_not_of(kPlain) == word.npos) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? "'\\''" : std::string(1, c);
  return quoted + "'";
}

int submit(const SweepArguments& options) {
  const SweepFolder folder{options.path};
  const auto points = static_cast<int64_t>(sweep::read_plan(folder).points.size());
  const int64_t tasks = options.tasks == 0 ? std::min<int64_t>(points, 16) : options.tasks;
  std::vector<std::string> words{"sbatch", fmt::format("--array=0-{}", tasks - 1)};
  words.insert(words.end(), options.slurm.begin(), options.slurm.end());
  words.push_back(sweep_script().string());
  words.push_back(fs::absolute(folder.root).string());
  words.push_back(program_files().command.string());
  if (options.print) {
    for (std::string& word : words) word = shell_word(word);
    fmt::print("{}\n", fmt::join(words, " "));
    return kDone;
  }
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::execvp("sbatch", argv.data());
  throw SystemFailure(
      fmt::format("cannot start sbatch: {}; --print shows the command", std::strerror(errno)));
}

int status(const SweepArguments& options) {
  const SweepFolder folder{options.path};
  const sweep::Plan plan = sweep::read_plan(folder);
  fmt::print("{}", sweep::describe(plan, sweep::states_of(folder, plan)));
  return kDone;
}

int retry(const SweepArguments& options) {
  const SweepFolder folder{options.path};
  const sweep::Plan plan = sweep::read_plan(folder);
  fmt::print("{} failed points will run again\n", sweep::retry_failed(folder, plan, options.fresh));
  return kDone;
}

int report(const SweepArguments& options) {
  const SweepFolder folder{options.path};
  const sweep::Table table = sweep::tabulate(folder, sweep::read_plan(folder));
  for (const fs::path& file : report::write_sweep(folder, table)) {
    fmt::print("{}\n", file.string());
  }
  fmt::print("{}", sweep::to_text(table, kShownSettings));
  return kDone;
}

}  // namespace

void add_sweep(Program& program) {
  auto options = std::make_shared<SweepArguments>();
  Command sweep = program.app.add_subcommand("sweep", "Train many variants of one config");
  sweep.require_subcommand();
  const auto add = [&](const char* name, const char* help, int (*action)(const SweepArguments&)) {
    Command command = sweep.add_subcommand(name, help);
    command.callback([&program, action, options] {
      options->color = program.color;
      program.action = [action, options] { return action(*options); };
    });
    const bool plans = std::string_view(name) == "plan";
    command
        .add_option(plans ? "SPEC" : "SWEEP", options->path,
                    plans ? "YAML file: config, grid, list, random, leave_out, seeds"
                          : "Folder of the sweep")
        .required();
    return command;
  };
  add("plan", "List the points of a specification", plan)
      .add_option("--out", options->out, "Folder of the sweep; runs/<name of SPEC> without");

  Command running = add("run", "Train the points; exit 75: stopped, run it again", run);
  running.add_option("-j,--jobs", options->workers, "trainings at a time").range(1, 1024);
  add_farm_flags(running, options->farm, "without it all processes share the points");

  Command submitting = add("submit", "Hand the points to Slurm as a job array", submit);
  submitting.add_option("--tasks", options->tasks, "of the array; 0: one a point, 16 at most")
      .range(0, 100'000);
  submitting.add_option("--sbatch", options->slurm, "a word for sbatch: --sbatch=--time=2:00:00");
  submitting.add_flag("--print", options->print, "show the command and end");

  add("status", "Count the points by state; list what failed", status);
  add("retry", "Let failed points run again", retry)
      .add_flag("--fresh", options->fresh, "without what they have trained so far");
  add("report", "Write SWEEP/report.html, .csv and .json; show the best settings", report);
}

}  // namespace outerloop::cli
