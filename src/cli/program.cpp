#include "cli/program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <new>
#include <sstream>
#include <system_error>
#include <thread>

#include "cli/launcher.h"
#include "outerloop/base/error.h"

namespace outerloop::cli {
namespace {

constexpr std::chrono::seconds kTimeOfFirstRank{5};

// A closed one would become the first file that is opened, and messages would go into that. What is
// opened here takes no writing: results that cannot arrive still fail.
void open_closed_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) >= 0 || errno != EBADF) continue;
    [[maybe_unused]] const int opened = ::open("/dev/null", O_RDONLY);  // the lowest that is free
  }
}

// While it lives, a pipe that nobody reads fails what this thread writes to it and sends no signal.
class NoPipeSignal {
 public:
  NoPipeSignal() {
    sigaddset(&pipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_, &earlier_);
  }
  ~NoPipeSignal() {
    const timespec at_once{};
    sigtimedwait(&pipe_, nullptr, &at_once);  // takes the signal back, if there is one
    pthread_sigmask(SIG_SETMASK, &earlier_, nullptr);
  }
  NoPipeSignal(const NoPipeSignal&) = delete;
  NoPipeSignal& operator=(const NoPipeSignal&) = delete;

 private:
  sigset_t pipe_{};
  sigset_t earlier_{};
};

// The code, when what was printed has arrived.
int written(int code) {
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
    throw SystemFailure("cannot write to standard output");
  return code;
}

int run(Program& program, int argc, const char* const* argv) {
  program.app
      .add_option_function(
          "--color",
          [&program](const std::string& text) { program.color = *parse_color_mode(text); },
          "Colours in messages")
      .type_name("WHEN")
      .one_of({"auto", "always", "never"});
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
  // Of this help alone: commands that are added later would inherit it.
  program.app.footer(
      "To begin: outerloop train configs/sinusoid_maml.yaml\n"
      "Keys of configs: outerloop config help. Options of a command: outerloop COMMAND --help.\n"
      "Exit codes: 0 done, 1 failure, 2 wrong input, 75 stopped with a checkpoint (the same "
      "command goes on).");
  try {
    if (!program.line.read(argc, argv)) return written(kDone);
  } catch (const BadInput&) {
    // All ranks were given the same words: the first one speaks. It may come late, and the launcher
    // ends all when one has failed.
    if (place_in_launch() == 0) throw;
    std::this_thread::sleep_for(kTimeOfFirstRank);
    return kBadInput;
  }
  OL_ASSERT(program.action != nullptr, "a subcommand without an action");
  return written(program.action());
}

}  // namespace

void tell(std::string_view text) {
  const NoPipeSignal no_signal;
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
  open_closed_streams();
  // A file past the shell's limit fails like a full disk, in one line.
  signal(SIGXFSZ, SIG_IGN);
  // Who starts this program may ignore the ends of its children; some commands here wait for
  // theirs.
  signal(SIGCHLD, SIG_DFL);
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
