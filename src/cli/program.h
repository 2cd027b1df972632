#pragma once
// The program: one file per subcommand adds itself here.

#include <functional>
#include <string_view>

#include "cli/command_line.h"
#include "cli/version.h"
#include "outerloop/base/terminal.h"

namespace outerloop::cli {

// Exit codes that scripts rely on. A process ended by signal n shows as 128 + n.
enum ExitCode : int {
  kDone = 0,
  kFailed = 1,    // the system or the program failed
  kBadInput = 2,  // the command line, the config or a file is wrong
  kStopped = 75,  // stopped with a checkpoint: run the same command again to go on
};

struct Program {
  CommandLine line{"outerloop", "outerloop: meta-learning on one machine or many", version_text};
  Command app = line.root();
  ColorMode color = ColorMode::automatic;
  // What the chosen subcommand does; set by its callback while the command line is read.
  std::function<int()> action;
};

// One per subcommand, each in the file of its name.
void add_baselines(Program& program);
void add_bench(Program& program);
void add_ckpt(Program& program);
void add_config(Program& program);
void add_data(Program& program);
void add_doctor(Program& program);
void add_eval(Program& program);
void add_farm(Program& program);
void add_importance(Program& program);
void add_predict(Program& program);
void add_replay(Program& program);
void add_report(Program& program);
void add_stop(Program& program);
void add_sweep(Program& program);
void add_supervise(Program& program);
void add_train(Program& program);

// Writes to standard error. That it is closed, a pipe that nobody reads or a file on a full disk
// ends nothing.
void tell(std::string_view text);
// With "error: " before each line, red where the terminal shows colours.
void tell_error(std::string_view lines, ColorMode color);
// kBadInput or kFailed.
int exit_code_of(const std::exception& error);

// Reads the command line and runs the subcommand. Prints errors to standard error and returns the
// exit code; never throws.
int run_program(int argc, const char* const* argv) noexcept;

}  // namespace outerloop::cli
