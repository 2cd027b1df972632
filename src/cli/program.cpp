#include "cli/program.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <new>
#include <sstream>
#include <system_error>

#include "cli/launcher.h"
#include "cli/version.h"
#include "outerloop/base/edit_distance.h"
#include "outerloop/base/error.h"

namespace outerloop::cli {
namespace {

// The subcommand nearest to a first word that is none.
std::string suggestion(const CLI::App& app, int argc, const char* const* argv) {
  if (argc < 2 || argv[1][0] == '-') return {};
  std::vector<std::string_view> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  if (std::ranges::find(names, argv[1]) != names.end()) return {};
  const auto nearest = nearest_word(argv[1], names);
  return fmt::format(
      "'{}' is no command{}", argv[1],
      nearest ? fmt::format("; did you mean '{}'?", *nearest) : "; `outerloop --help` lists them");
}

// The innermost subcommand that was named, for the hint at its help.
std::string command_path(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  const std::string own = app.get_name();
  return chosen.empty() ? own : own + " " + command_path(*chosen.front());
}

// Options of all commands are listed by the help of the program alone.
std::string help_for(const CLI::App& app, const std::string& message) {
  for (const CLI::Option* option : app.get_options()) {
    const std::string name = option->get_name();
    if (!name.empty() && message.starts_with(name + ":")) return app.get_name();
  }
  return command_path(app);
}

int refuse_command_line(const Program& program, const CLI::ParseError& error, int argc,
                        const char* const* argv) {
  // All ranks were given the same words: the first one speaks.
  if (place_in_launch() > 0) return kBadInput;
  const std::string better = suggestion(program.app, argc, argv);
  const std::string text = better.empty() ? fmt::format("{}; see `{} --help`", error.what(),
                                                        help_for(program.app, error.what()))
                                          : better;
  tell_error(text, program.color);
  return kBadInput;
}

// The code, when what was printed has arrived.
int written(int code) {
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
    throw SystemFailure("cannot write to standard output");
  return code;
}

// A flag with a list takes one word each time, so that the words behind it are the command's:
// "--estimands query,prior test.steps=5".
void let_lists_take_one_word(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    if (option->nonpositional()) option->allow_extra_args(false);
  }
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) {
    let_lists_take_one_word(*command);
  }
}

int run(Program& program, int argc, const char* const* argv) {
  CLI::App& app = program.app;
  app.require_subcommand(1);
  app.set_version_flag("--version", version_text);
  app.add_option_function<std::string>(
         "--color",
         [&program](const std::string& text) {
           const auto mode = parse_color_mode(text);
           if (!mode) throw CLI::ValidationError("--color", "expected auto, always or never");
           program.color = *mode;
         },
         "auto, always or never")
      ->type_name("WHEN");
  app.fallthrough();
  add_baselines(program);
  add_bench(program);
  add_config(program);
  add_ckpt(program);
  add_data(program);
  add_doctor(program);
  add_eval(program);
  add_farm(program);
  add_importance(program);
  add_predict(program);
  add_replay(program);
  add_report(program);
  add_stop(program);
  add_sweep(program);
  add_supervise(program);
  add_train(program);
  let_lists_take_one_word(app);
  // Of this help alone: commands that are added later would inherit it.
  app.footer(
      "To begin: outerloop train configs/sinusoid_maml.yaml\n"
      "Keys of configs: outerloop config help. Options of a command: outerloop COMMAND --help.\n"
      "Exit codes: 0 done, 1 failure, 2 wrong input, 75 stopped with a checkpoint (the same "
      "command "
      "goes on).");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // Help and version come as "errors" with exit code 0.
    if (error.get_exit_code() == 0) return written(app.exit(error));
    return refuse_command_line(program, error, argc, argv);
  }
  OL_ASSERT(program.action != nullptr, "a subcommand without an action");
  return written(program.action());
}

}  // namespace

void tell(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
}

void tell_error(std::string_view lines, ColorMode color) {
  const bool red = detect_terminal(STDERR_FILENO, color).color;
  std::istringstream in{std::string(lines)};
  for (std::string line; std::getline(in, line);) {
    tell(fmt::format("{}error:{} {}\n", red ? "\x1b[31m" : "", red ? "\x1b[0m" : "", line));
  }
}

int exit_code_of(const std::exception& error) {
  return dynamic_cast<const BadInput*>(&error) != nullptr ? kBadInput : kFailed;
}

int run_program(int argc, const char* const* argv) noexcept {
  // A file past the shell's limit fails like a full disk, in one line.
  signal(SIGXFSZ, SIG_IGN);
  Program program;
  try {
    return run(program, argc, argv);
  } catch (const Error& error) {
    tell_error(error.what(), program.color);
    return exit_code_of(error);
  } catch (const std::bad_alloc&) {
    tell_error("out of memory", program.color);
  } catch (const std::system_error& error) {
    tell_error(error.what(), program.color);
  } catch (const std::exception& error) {
    tell_error(error.what(), program.color);
    tell_error("this is a defect of outerloop: please report it with the command and these lines",
               program.color);
  }
  return kFailed;
}

}  // namespace outerloop::cli
