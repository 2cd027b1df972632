#pragma once
// Time that was taken.

#include <time.h>

#include <chrono>

namespace outerloop {

// Wall time since the watch was made or the last lap.
class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }
  // The same; the next lap begins.
  double lap() {
    const Clock::time_point begin = start_;
    start_ = Clock::now();
    return std::chrono::duration<double>(start_ - begin).count();
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_ = Clock::now();
};

// Processor time of this thread since it began.
inline double thread_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

}  // namespace outerloop
