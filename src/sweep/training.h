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

inline constexpr const char* kVisibleGpus = "CUDA_VISIBLE_DEVICES";

// The GPUs that trainings can share, as values of that variable: the entries of `visible`, its
// value where it is set, else one for each NVIDIA GPU among `devices`. No driver is asked: that
// would occupy every GPU.
std::vector<std::string> shared_gpus(const char* visible,
                                     const std::filesystem::path& devices = "/dev");

// What of the machine a training may use.
struct Share {
  std::vector<int> cores;  // whatever the thread that starts it is bound to
  std::string gpu;         // value of kVisibleGpus; empty: as the worker has it
};

class Training {
 public:
  // `words`: of the command line after the program's name. Standard error goes to the point's file.
  // The process holds the lock too, so that it outlives a killed worker; when the thread that
  // started it ends, it is asked to stop.
  Training(const SweepFolder& folder, const Point& point, int lock,
           const std::filesystem::path& program, const std::vector<std::string>& words,
           const Share& share);
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
