// outerloop eval: a stored run on tasks by its own protocol or another.

#include <fmt/format.h>

#include <filesystem>

#include "cli/output_file.h"
#include "cli/program.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/train/evaluate_run.h"
#include "outerloop/train/stored_run.h"

namespace outerloop::cli {
namespace {

struct EvalArguments {
  std::string run;
  std::string per_task;
  bool json = false;
  train::EvaluateOptions evaluate;
};

// As evaluate_run() finds them.
std::vector<std::filesystem::path> files_read(const EvalArguments& options) {
  const train::StoredRun run =
      train::open_run(options.run, options.evaluate.checkpoint, options.evaluate.overrides);
  std::vector<std::filesystem::path> files{run.checkpoint_file};
  const config::Config& config = run.config.config;
  if (config::has_dataset(config)) {
    files.push_back(config::find_file(config.tasks.dataset, run.config.folder));
  }
  return files;
}

int run(const EvalArguments& options) {
  if (!options.per_task.empty()) require_place_for(options.per_task, files_read(options));
  const train::RunEvaluation evaluation = train::evaluate_run(options.run, options.evaluate);
  if (!options.per_task.empty()) {
    write_file_atomically(options.per_task, train::per_task_csv(evaluation.result));
  }
  fmt::print("{}", options.json ? train::to_json_text(evaluation) : train::describe(evaluation));
  return kDone;
}

}  // namespace

void add_eval(Program& program) {
  auto options = std::make_shared<EvalArguments>();
  train::EvaluateOptions& evaluate = options->evaluate;
  Command command = program.app.add_subcommand("eval", "Test a trained run on new tasks");
  command.add_option("RUN", options->run, "Run folder or checkpoint file").required();
  command.add_option("OVERRIDES", evaluate.overrides,
                     "key=value words: test.*, tasks.ways, tasks.shots, tasks.queries, …");
  command.add_option("--checkpoint", evaluate.checkpoint, "best, last or a file")
      .capture_default_str();
  command
      .add_option_function(
          "--split",
          [&evaluate](const std::string& name) {
            evaluate.split = name == "test" ? data::Split::test : data::Split::validation;
          },
          "Classes or rows that the tasks are of")
      .one_of({"test", "validation"})
      .default_str("test");
  command.add_option("--tasks", evaluate.tasks, "Number of tasks; default: as in the run")
      .range(1, 10'000'000);
  command.add_option("--seed", evaluate.seed, "Of the tasks; default: the run's")
      .range(0, 1'000'000'000'000);
  command.add_flag("--json", options->json, "The fields of \"test\" in summary.json, for scripts");
  command.add_option("--per-task", options->per_task,
                     "CSV file with the results of each task, and its name in a table");
  command.callback([&program, options] { program.action = [options] { return run(*options); }; });
}

}  // namespace outerloop::cli
