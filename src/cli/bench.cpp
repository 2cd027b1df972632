// outerloop bench: speeds as fractions of what the machine can do.

#include "outerloop/train/bench.h"

#include <fmt/format.h>

#include <memory>

#include "cli/bench_comm.h"
#include "cli/bench_importance.h"
#include "cli/bench_ops.h"
#include "cli/program.h"
#include "cli/ranks.h"
#include "outerloop/comm/agreement.h"
#include "outerloop/config/read.h"

namespace outerloop::cli {
namespace {

struct BenchArguments {
  std::string config;
  std::vector<std::string> overrides;
  train::BenchOptions bench;
  bool json = false;
};

int meta_step(const BenchArguments& options, comm::Communicator& ranks) {
  config::Resolved resolved;
  comm::fail_together(ranks, "command line and config",
                      [&] { resolved = config::read_config(options.config, options.overrides); });
  const train::MetaStepBench result = train::bench_meta_step(resolved, options.bench, ranks);
  if (ranks.rank() > 0) return kDone;
  fmt::print("{}", options.json ? train::to_json_text(result) : train::describe(result));
  return kDone;
}

}  // namespace

void add_bench(Program& program) {
  Command bench = program.app.add_subcommand("bench", "Measure speed against this machine's peak");
  bench.require_subcommand();
  add_bench_comm(bench, program);
  add_bench_importance(bench, program);
  add_bench_ops(bench, program);
  auto options = std::make_shared<BenchArguments>();
  Command command = bench.add_subcommand(
      "meta-step", "Tasks per second, fraction of the FMA peak, where the time goes");
  command.add_option("--config", options->config, "YAML file").required();
  command.add_option("OVERRIDES", options->overrides, "key=value words");
  command.add_option("--seconds", options->bench.seconds, "measured time").real_range(0.01, 3600.0);
  command.add_flag("--profile", options->bench.profile, "time of each kernel of one task");
  command.add_flag("--json", options->json, "print JSON");
  command.callback([&program, options] {
    program.action = [&program, options] {
      return run_on_ranks([&](comm::Communicator& ranks) { return meta_step(*options, ranks); },
                          program.color);
    };
  });
}

}  // namespace outerloop::cli
