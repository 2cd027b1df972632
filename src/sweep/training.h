#pragma once
// One point's training as a process.

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "outerloop/sweep/state.h"

namespace outerloop::sweep {

struct Ended {
  int code = -1;   // exit code; -1: ended by a signal
  int signal = 0;  // that ended it
};

class Training {
 public:
  // `words`: of the command line after the program's name. Standard error goes to the point's file.
  // The process holds the lock too, so that it outlives a killed worker, and may use all `cores`,
  // whatever the thread that starts it is bound to; when that thread ends, it is asked to stop.
  Training(const SweepFolder& folder, const Point& point, int lock,
           const std::filesystem::path& program, const std::vector<std::string>& words,
           const std::vector<int>& cores);
  Training(const Training&) = delete;
  Training& operator=(const Training&) = delete;
  ~Training();  // asks it to stop, and waits

  void ask_to_stop() const;
  // Nothing while it runs.
  std::optional<Ended> poll();

 private:
  pid_t process_ = 0;
};

// The first line that begins with "error:", else the last line, of what a training said; empty when
// it said nothing.
std::string first_error(const std::string& said);

}  // namespace outerloop::sweep
