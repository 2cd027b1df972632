#pragma once
// How far a long run is: a bar redrawn in place on a terminal, a line every few seconds elsewhere.

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "outerloop/base/terminal.h"

namespace outerloop {

class Progress {
 public:
  using Clock = std::chrono::steady_clock;
  // Receives text that is ready to be written, control characters included.
  using Write = std::function<void(std::string_view)>;

  struct Options {
    Terminal terminal;
    std::int64_t total = 0;  // iterations of the whole run
    // Iterations done when the clock starts; unknown: as many as in the first sample, from whose
    // time on the rate is counted.
    std::optional<std::int64_t> start;
    std::string unit = "it";        // what is counted, as in "12.3 it/s"
    std::string one = "it";         // of them, as in "1.7 s/it"
    double line_every_seconds = 5;  // where lines cannot be redrawn
  };
  struct Sample {
    std::int64_t done = 0;
    std::optional<double> loss = {};
    std::optional<double> accuracy = {};  // a fraction
  };

  Progress(Options options, Write write, Clock::time_point now = Clock::now());

  // Shows the sample if it is time to; cheap enough to call each iteration.
  void update(const Sample& sample, Clock::time_point now = Clock::now());
  // Shows the last sample and leaves the line. Call once, also after an error.
  void finish(Clock::time_point now = Clock::now());
  // Takes the bar away so that a message can be written; the next update draws it again.
  void clear();

 private:
  std::string line(Clock::time_point now) const;
  std::string bar_line(Clock::time_point now) const;
  double rate(Clock::time_point now) const;
  void show(Clock::time_point now);

  Options options_;
  Write write_;
  Clock::time_point begin_;
  Clock::time_point shown_;
  Sample last_;
  std::int64_t shown_done_ = -1;
  bool drawn_ = false;
  bool any_ = false;
};

}  // namespace outerloop
