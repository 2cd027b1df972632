#pragma once
// Wall time since the watch was made or the last lap.

#include <chrono>

namespace outerloop {

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

}  // namespace outerloop
