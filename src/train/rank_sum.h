#pragma once
// What the ranks bring together in a meta-step: the tasks' results and the sum of their gradients.

#include <span>
#include <vector>

#include "outerloop/base/thread_pool.h"
#include "outerloop/comm/slot_reduction.h"

namespace outerloop::train {

// Slots, or tasks, of each rank or thread: as even as can be.
std::vector<comm::Range> dealt(const comm::Range& whole, int64_t parts);

class RankSum {
 public:
  // `results_per_slot`: how many numbers a task's result has.
  RankSum(comm::Communicator& ranks, ThreadPool& pool, int64_t elements, int64_t slots,
          int64_t results_per_slot);

  const comm::Range& own_slots() const;

  // Collective. `nodes` are of this rank's slots; `results`, those of all slots by slot, has them
  // filled in for its own. Completes the results and returns the finished tree of the gradients,
  // valid until the next call.
  std::span<const comm::SlotNode> gather(std::span<const comm::SlotNode> nodes,
                                         std::span<float> results);
  size_t bytes() const { return reduction_.bytes() + total_.bytes(); }

 private:
  comm::Communicator& ranks_;
  std::vector<comm::Range> slots_;  // by rank
  std::vector<comm::Range> groups_;
  comm::SlotReduction reduction_;
  std::vector<int64_t> result_counts_;  // by rank
  Tensor total_;
  comm::SlotNode root_;
};

}  // namespace outerloop::train
