#pragma once
// Asking a long run to end at its next safe point.

namespace outerloop {

// While it lives, SIGINT, SIGTERM and SIGUSR1 set a flag instead of ending the process. A second
// signal more than half a second after the first does what the signal does by default (launchers
// such as timeout(1) send one request twice in a row). The destructor restores the handlers found.
// At most one at a time.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  // The first signal that came, or 0. Any thread may ask.
  int received() const noexcept;
};

}  // namespace outerloop
