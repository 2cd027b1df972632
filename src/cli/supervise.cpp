// outerloop supervise: starts a command again after failures, where no scheduler does.

#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>

#include "cli/long_run.h"
#include "cli/program.h"
#include "outerloop/base/duration.h"
#include "outerloop/base/error.h"

namespace outerloop::cli {
namespace {

using std::chrono::seconds;

constexpr seconds kLongestPause{600};

struct SuperviseArguments {
  std::vector<std::string> command;
  int retries = 10;
  std::string pause = "10s";
};

// Blocks what the supervisor waits for, and gives back the earlier mask.
class BlockedSignals {
 public:
  BlockedSignals() {
    sigemptyset(&blocked_);
    for (const int signal : {SIGINT, SIGTERM, SIGUSR1, SIGCHLD}) sigaddset(&blocked_, signal);
    sigprocmask(SIG_BLOCK, &blocked_, &earlier_);
  }
  ~BlockedSignals() { sigprocmask(SIG_SETMASK, &earlier_, nullptr); }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

  const sigset_t& earlier() const { return earlier_; }
  // The next one within the time; nothing: none came.
  std::optional<siginfo_t> next(seconds most) const {
    siginfo_t info{};
    const timespec time{.tv_sec = most.count(), .tv_nsec = 0};
    if (sigtimedwait(&blocked_, &info, &time) > 0) return info;
    return std::nullopt;
  }

 private:
  sigset_t blocked_{};
  sigset_t earlier_{};
};

class Supervisor {
 public:
  explicit Supervisor(const SuperviseArguments& options)
      : options_(options), pause_(duration_of("--pause", options.pause)) {}

  int run() {
    int failures = 0;
    while (true) {
      const int code = run_once();
      if (asked_to_end_ || code == kDone || code == kBadInput) return code;
      if (code == kStopped) {
        failures = 0;
        say("it stopped with a checkpoint; starting it again");
        continue;
      }
      if (failures == options_.retries) {
        say(fmt::format("exit code {}, and {} new starts did not help", code, failures));
        return code;
      }
      const seconds wait = std::min(pause_ * (1 << std::min(failures, 20)), kLongestPause);
      ++failures;
      say(fmt::format("exit code {}; starting it again in {} ({} of {})", code,
                      format_duration(wait), failures, options_.retries));
      if (!rest(wait)) return code;
    }
  }

 private:
  static void say(const std::string& text) { tell(fmt::format("supervise: {}\n", text)); }

  // The exit code; 128 + n for an end by signal n.
  int run_once() {
    const pid_t child = start();
    while (true) {
      int status = 0;
      if (waitpid(child, &status, WNOHANG) == child) {
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
      }
      const auto signal = signals_.next(seconds(60));
      if (!signal || signal->si_signo == SIGCHLD) continue;
      asked_to_end_ = true;
      // What is typed at the terminal reaches the command by itself.
      if (signal->si_code != SI_KERNEL) kill(child, signal->si_signo);
    }
  }

  pid_t start() const {
    std::vector<char*> words;
    for (const std::string& word : options_.command) {
      words.push_back(const_cast<char*>(word.c_str()));
    }
    words.push_back(nullptr);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigmask(&attributes, &signals_.earlier());
    pid_t child = 0;
    const int error = posix_spawnp(&child, words[0], nullptr, &attributes, words.data(), environ);
    posix_spawnattr_destroy(&attributes);
    if (error == 0) return child;
    throw BadInput(fmt::format("cannot start '{}': {}", words[0], std::strerror(error)));
  }

  // False: a signal asked to end.
  bool rest(seconds time) {
    const auto end = std::chrono::steady_clock::now() + time;
    while (true) {
      const auto left = std::chrono::ceil<seconds>(end - std::chrono::steady_clock::now());
      if (left <= seconds(0)) return true;
      const auto signal = signals_.next(left);
      if (signal && signal->si_signo != SIGCHLD) return false;
    }
  }

  const SuperviseArguments& options_;
  seconds pause_;
  BlockedSignals signals_;
  bool asked_to_end_ = false;
};

}  // namespace

void add_supervise(Program& program) {
  auto options = std::make_shared<SuperviseArguments>();
  Command command = program.app.add_subcommand(
      "supervise", "Start a command again when it fails: outerloop supervise -- mpirun …");
  command.add_option("COMMAND", options->command, "command and its words, after --").required();
  command.add_option("--retries", options->retries, "new starts after failures in a row")
      .range(0, 1'000'000)
      .capture_default_str();
  command
      .add_option("--pause", options->pause,
                  "before the first new start; doubled by each failure, up to 10 minutes")
      .capture_default_str();
  command.footer(
      "Exit codes 0 and 2 end it, 75 (stopped with a checkpoint) starts the command again at once. "
      "SIGINT, SIGTERM and SIGUSR1 go to the command, and its end is then the last.");
  command.callback(
      [&program, options] { program.action = [options] { return Supervisor(*options).run(); }; });
}

}  // namespace outerloop::cli
