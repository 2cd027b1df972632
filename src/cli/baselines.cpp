// outerloop baselines: simple models on the tasks that a config's learner is tested on.

#include <fmt/format.h>

#include "cli/program.h"
#include "outerloop/config/read.h"
#include "outerloop/interp/task_baselines.h"

namespace outerloop::cli {
namespace {

struct BaselinesArguments {
  std::string file;
  std::vector<std::string> words;
  std::vector<int64_t> shots;
  bool json = false;
};

int run(const BaselinesArguments& options) {
  const config::Resolved resolved = config::read_config(options.file, options.words);
  const interp::TaskBaselines baselines = interp::compute_baselines(resolved, options.shots);
  fmt::print("{}", options.json ? interp::to_json_text(baselines) : interp::describe(baselines));
  return kDone;
}

}  // namespace

void add_baselines(Program& program) {
  auto options = std::make_shared<BaselinesArguments>();
  Command command = program.app.add_subcommand(
      "baselines", "What simple models reach on the test tasks of a table");
  command.add_option("CONFIG", options->file, "YAML file with tasks.family = table").required();
  command.add_option("OVERRIDES", options->words, "key=value, over the file")
      .type_name("key=value");
  command.add_option("--shots", options->shots, "Support rows, such as 5,10,20; default: test's")
      .delimiter(',')
      .range(1, 10'000);
  command.add_flag("--json", options->json, "For scripts");
  command.callback([&program, options] { program.action = [options] { return run(*options); }; });
}

}  // namespace outerloop::cli
