// outerloop importance: what a model relies on.

#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "cli/program.h"
#include "outerloop/interp/importance_run.h"
#include "outerloop/report/importance_report.h"

namespace outerloop::cli {
namespace {

struct Options {
  std::string config;
  std::vector<std::string> words;
};

int run(const Options& options) {
  const auto spec = interp::read_importance_spec(options.config, options.words);
  interp::prepare_importance_folder(spec.run_dir);
  const auto result = interp::run_importance(spec);
  fmt::print("{}", interp::to_text(result));
  for (const auto& file : report::write_importance(spec.run_dir, result)) {
    fmt::print("{}\n", file.string());
  }
  return kDone;
}

}  // namespace

void add_importance(Program& program) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      program.app.add_subcommand("importance", "Permutation importance of the features of a table");
  command->add_option("CONFIG", options->config, "YAML file")->required();
  command->add_option("WORDS", options->words, "key=value, over the file")->type_name("key=value");
  command->footer("Keys of the config:\n" + interp::help_on_importance());
  command->callback([&program, options] { program.action = [options] { return run(*options); }; });
}

}  // namespace outerloop::cli
