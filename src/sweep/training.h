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
  Training(const SweepFolder& folder, const Point& point, Lease lease,
           const std::filesystem::path& program, const std::vector<std::string>& words);
  Training(Training&& other) noexcept;
  Training& operator=(Training&&) = delete;
  ~Training();  // asks it to stop, and waits

  const Point& point() const { return *point_; }
  void ask_to_stop() const;
  // Nothing while it runs.
  std::optional<Ended> poll();

 private:
  const Point* point_;
  Lease lease_;
  pid_t process_ = 0;
};

// The first line that begins with "error:", else the last line, of what a training said; empty when
// it said nothing.
std::string first_error(const std::string& said);

}  // namespace outerloop::sweep
