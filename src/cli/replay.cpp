// outerloop replay: one task of a training computed once more, against its logged hash.

#include "outerloop/train/replay.h"

#include <fmt/format.h>

#include <memory>

#include "cli/program.h"

namespace outerloop::cli {
namespace {

struct ReplayArguments {
  std::string run;
  int64_t iteration = 0;
  int64_t slot = 0;
};

int run(const ReplayArguments& options) {
  fmt::print("{}", train::describe(train::replay(options.run, options.iteration, options.slot)));
  return kDone;
}

}  // namespace

void add_replay(Program& program) {
  auto options = std::make_shared<ReplayArguments>();
  Command command = program.app.add_subcommand(
      "replay", "Compute one task of a training again; exit 1 if its bits differ");
  command.add_option("RUN", options->run, "Run folder; the checkpoint to begin from is found in it")
      .required();
  command.add_option("--iter", options->iteration, "Iteration, from 1").required();
  command.add_option("--slot", options->slot, "Place in the meta-batch, from 0").required();
  command.callback([&program, options] { program.action = [options] { return run(*options); }; });
}

}  // namespace outerloop::cli
