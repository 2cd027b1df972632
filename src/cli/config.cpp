// outerloop config: help on keys, and configs as they are resolved.

#include <fmt/format.h>

#include "cli/program.h"
#include "outerloop/config/print.h"

namespace outerloop::cli {
namespace {

struct ConfigArguments {
  std::string key;
  std::string file;
  std::vector<std::string> words;
  bool origins = false;
  bool hash = false;
};

int show_help(const ConfigArguments& options) {
  fmt::print("{}", options.key.empty() ? config::help_all() : config::help(options.key));
  return kDone;
}

int print_config(const ConfigArguments& options) {
  const config::Resolved resolved = config::read_config(options.file, options.words);
  if (options.hash) {
    fmt::print("{}\n", config::config_hash(resolved.config));
  } else {
    fmt::print("{}", options.origins ? config::describe_origins(resolved)
                                     : config::to_yaml(resolved.config));
  }
  return kDone;
}

}  // namespace

void add_config(Program& program) {
  auto options = std::make_shared<ConfigArguments>();
  Command command = program.app.add_subcommand("config", "Help on config keys; show a config");

  Command help = command.add_subcommand("help", "Describe all keys, a section or one key");
  help.add_option("KEY", options->key, "Such as inner.steps or inner");
  help.callback(
      [&program, options] { program.action = [options] { return show_help(*options); }; });

  Command print = command.add_subcommand("print", "Check a config and print it in full");
  print.add_option("CONFIG", options->file, "YAML file").required();
  print.add_option("WORDS", options->words, "key=value, over the file").type_name("key=value");
  print.add_flag("--origins", options->origins, "Say where each value comes from");
  print.add_flag("--hash", options->hash, "Print only the hash that identifies the results");
  print.callback(
      [&program, options] { program.action = [options] { return print_config(*options); }; });

  // `config --help KEY` as well as `config help KEY`. After the subcommands, which keep theirs.
  command.remove_help_flag();
  const Option help_flag =
      command.add_option("-h,--help", options->key, "Describe a key or a section")
          .expected(0, 1)
          .type_name("[KEY]");
  command.callback([&program, command, options, help_flag] {
    if (command.has_subcommand()) return;
    program.action = [command, options, help_flag]() -> int {
      if (help_flag.count() == 0) {
        throw BadInput("expected config help [KEY] or config print CONFIG [key=value]...");
      }
      if (options->key.empty()) fmt::print("{}", command.help());
      return show_help(*options);
    };
  });
}

}  // namespace outerloop::cli
