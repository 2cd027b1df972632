#pragma once
// The program as a process of its own: to be signalled, killed and limited.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "io/temporary_folder.h"
#include "outerloop/base/atomic_file.h"
#include "support/words.h"

namespace outerloop::cli {

struct Ended {
  int code = -1;   // exit code; -1: ended by a signal
  int signal = 0;  // that ended it
  std::string out;
  std::string error;
};

class Process {
 public:
  // `prepare` runs in the new process before the program does; false ends it with code 99.
  explicit Process(const Words& words, const std::function<bool()>& prepare = {},
                   const std::string& program = OUTERLOOP_BINARY_DIR "/outerloop") {
    std::vector<char*> argv{const_cast<char*>(program.c_str())};
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    child_ = fork();
    if (child_ != 0) return;
    if (redirect(out_, 1) && redirect(error_, 2) && (!prepare || prepare())) {
      execv(program.c_str(), argv.data());
    }
    _exit(99);
  }
  ~Process() {
    if (child_ <= 0) return;
    kill(SIGKILL);
    wait();
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void kill(int signal) const { ::kill(child_, signal); }
  pid_t id() const { return child_; }

  Ended wait() {
    int status = 0;
    waitpid(child_, &status, 0);
    child_ = 0;
    Ended ended{.out = text_of(out_), .error = text_of(error_)};
    if (WIFEXITED(status)) ended.code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) ended.signal = WTERMSIG(status);
    return ended;
  }

  // Waits for something that the process is about to do.
  [[nodiscard]] bool await(const std::function<bool()>& happened) const {
    while (!happened()) {
      if (ended()) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }

 private:
  static bool redirect(const std::filesystem::path& file, int descriptor) {
    const int opened = open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
    return opened >= 0 && dup2(opened, descriptor) >= 0;
  }
  // Empty as well when the process was killed before it made the file.
  static std::string text_of(const std::filesystem::path& file) {
    return std::filesystem::exists(file) ? read_file(file) : std::string();
  }
  bool ended() const {
    siginfo_t info{};
    return waitid(P_PID, static_cast<id_t>(child_), &info, WNOHANG | WEXITED | WNOWAIT) == 0 &&
           info.si_pid != 0;
  }

  TemporaryFolder folder_;
  std::filesystem::path out_ = folder_ / "out";
  std::filesystem::path error_ = folder_ / "err";
  pid_t child_ = 0;
};

// In the new process, with signals as a shell gives them.
inline bool point_at_unread_pipe(int descriptor) {
  std::array<int, 2> ends{};
  return signal(SIGPIPE, SIG_DFL) != SIG_ERR && pipe(ends.data()) == 0 && close(ends[0]) == 0 &&
         dup2(ends[1], descriptor) >= 0;
}

// Runs to its end.
inline Ended run_process(const Words& words, const std::function<bool()>& prepare = {}) {
  return Process(words, prepare).wait();
}

}  // namespace outerloop::cli
