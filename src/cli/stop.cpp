// outerloop stop: asks a run, on this machine or another that shares its folder, to end.

#include <fmt/format.h>

#include "cli/program.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"
#include "outerloop/train/run_folder.h"

namespace outerloop::cli {
namespace {

int stop(const train::RunFolder& run) {
  train::require_run(run);
  const std::string name = run.root.string();
  if (!train::may_be_in_training(run)) {
    throw BadInput(fmt::format("{} is not being trained: there is nothing to stop", name));
  }
  write_file_atomically(run.stop_file(), "stop\n");
  fmt::print("{}: will stop with a checkpoint after the current iteration\n", name);
  return kDone;
}

}  // namespace

void add_stop(Program& program) {
  auto run = std::make_shared<std::string>();
  Command command =
      program.app.add_subcommand("stop", "Ask a run to end with a checkpoint (exit code 75)");
  command.add_option("RUN", *run, "Run folder").required();
  command.callback([&program, run] { program.action = [run] { return stop({*run}); }; });
}

}  // namespace outerloop::cli
