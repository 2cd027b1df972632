// outerloop importance: what a model relies on.

#include <fmt/format.h>

#include <memory>

#include "cli/farm_job.h"
#include "cli/program.h"
#include "cli/ranks.h"
#include "outerloop/base/error.h"
#include "outerloop/comm/agreement.h"
#include "outerloop/farm/run.h"
#include "outerloop/interp/importance_run.h"
#include "outerloop/report/importance_report.h"

namespace outerloop::cli {
namespace {

struct Options {
  std::string config;
  std::vector<std::string> words;
  FarmFlags farm;
};

int conclude(const interp::ImportanceJob& job, const farm::Outcome& outcome,
             const interp::ImportanceFolder& folder, const farm::RunOptions& settings, Log& log) {
  if (!outcome.stopped.empty()) {
    log.info("stopped ({}) with {} of {} cells done; the same command goes on", outcome.stopped,
             outcome.progress.done, outcome.progress.cells);
    return kStopped;
  }
  if (!outcome.results.complete()) {
    const std::string all = (folder.journal().parent_path() / "importance-*of*.h5").string();
    fmt::print(
        "{}: {} cells, all of this shard; `outerloop farm merge {} {}` and then the command "
        "without --shard give the report\n",
        settings.journal.string(), outcome.progress.done, folder.journal().string(), all);
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
    settings = farm_options(options.farm);
    threads = static_cast<int>(spec.threads);
    job = std::make_unique<interp::ImportanceJob>(spec);
    folder.root = spec.run_dir;
    settings.journal = folder.journal(settings.shard);
    if (leads) folder.prepare();
  });
  FarmSession session(leads && !options.farm.quiet, color);
  session.attend(settings);
  ThreadPool pool(threads);
  const farm::Outcome outcome = farm::run(*job, ranks, pool, settings);
  session.finish();
  const int code = leads ? conclude(*job, outcome, folder, settings, session.log())
                         : (outcome.stopped.empty() ? kDone : kStopped);
  if (!outcome.hung.empty()) {
    const auto rank = static_cast<size_t>(outcome.hung.front());
    tell(fmt::format("warning: rank {} on {} does not answer; its cells were run by others\n", rank,
                     ranks.hosts()[rank]));
    ranks.abort(code);
  }
  return code;
}

}  // namespace

void add_importance(Program& program) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      program.app.add_subcommand("importance", "Permutation importance of the features of a table");
  command->add_option("CONFIG", options->config, "YAML file")->required();
  command->add_option("WORDS", options->words, "key=value, over the file")->type_name("key=value");
  add_farm_flags(*command, options->farm,
                 "each has a journal of its own, which `outerloop farm merge` joins");
  add_lease_flag(*command, options->farm);
  command->footer("Keys of the config:\n" + interp::help_on_importance());
  command->callback([&program, options] {
    program.action = [&program, options] {
      return run_on_ranks(
          [&](comm::Communicator& ranks) { return run_on(ranks, *options, program.color); });
    };
  });
}

}  // namespace outerloop::cli
