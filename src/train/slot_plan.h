#pragma once
// Which slots each rank computes, by how fast the ranks are. The bits of a run do not depend on it.

#include <algorithm>
#include <span>
#include <vector>

#include "outerloop/comm/communicator.h"
#include "outerloop/comm/slot_reduction.h"

namespace outerloop::train {

// Parts as even as can be: slots, or tasks, of each rank or thread.
std::vector<comm::Range> dealt(const comm::Range& whole, int64_t parts);

struct RankSpeed {
  double seconds = 0;   // for a round of slots
  int64_t at_once = 1;  // slots of a round: threads of the rank; 1 where time goes by the slot
};

// When the slowest rank is done.
double seconds_of(std::span<const comm::Range> slots, std::span<const RankSpeed> speeds);
// Consecutive slots for each rank, with which that is as soon as can be. All seconds are above 0.
std::vector<comm::Range> plan_slots(int64_t slots, std::span<const RankSpeed> speeds);

// Plans by measured speeds. Each rank makes the plan of all from the same numbers.
class SlotPlanner {
 public:
  // Starts with even parts. `rest`: for so many meta-steps after a plan that stays no times are
  // asked for.
  SlotPlanner(comm::Communicator& ranks, int64_t slots, int64_t at_once, int64_t rest);

  const std::vector<comm::Range>& slots() const { return slots_; }

  // After a meta-step: `seconds` that this rank took for its slots. Collective now and then: more
  // rarely the longer a plan stays, and not at rest. Whether there is another plan now.
  bool measured(double seconds);
  // How many meta-steps have no need to be measured, and that so many were made.
  int64_t resting() const { return resting_; }
  void rested(int64_t steps) { resting_ -= std::min(resting_, steps); }

 private:
  void share_speeds();

  comm::Communicator& ranks_;
  int64_t at_once_;                 // of this rank, as in RankSpeed
  std::vector<comm::Range> slots_;  // by rank
  std::vector<double> times_;       // of this rank, since speeds were shared
  size_t period_;                   // how many times are collected
  int64_t rest_, resting_ = 0;
  std::vector<RankSpeed> speeds_;  // by rank; 0 seconds: not known
  std::vector<double> shared_;
};

}  // namespace outerloop::train
