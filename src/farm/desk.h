#pragma once
// Where the threads of a process get their cells and leave what they gave.

#include <optional>
#include <span>
#include <string>

#include "outerloop/comm/agreement.h"

namespace outerloop::farm {

// Of whom the other ranks hear, and who keeps the journal: Leader. Who asks it: Follower. Safe to
// use from any thread.
class Desk {
 public:
  virtual ~Desk() = default;

  // Waits for a cell; nothing when there is nothing left to do.
  virtual std::optional<size_t> next(int thread) = 0;
  virtual void deliver(size_t cell, std::span<const double> values) = 0;
  // The run is to end: with all that is finished, or as failed.
  virtual void stop(const std::string& why) = 0;
  virtual void fail(const comm::Failure& failure) = 0;

  // Speaks with the other ranks, writes the journal, asks whether to stop: until the run is over on
  // all ranks. On a thread of its own, that alone uses the communicator.
  virtual void serve() = 0;
  // serve() failed: whoever waits for a cell gets none.
  virtual void give_up() = 0;
  // No thread of this process will come again.
  virtual void close() = 0;
};

}  // namespace outerloop::farm
