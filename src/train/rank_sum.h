#pragma once
// What the ranks bring together in a meta-step: the tasks' results and the sum of their gradients.

#include <span>
#include <vector>

#include "outerloop/base/thread_pool.h"
#include "outerloop/comm/slot_reduction.h"
#include "outerloop/config/config.h"
#include "train/slot_plan.h"
#include "train/task_results.h"

namespace outerloop::train {

// All verbs are collective but own_slots(), owner() and ordered(). In a meta-step: begin() each
// group where the sum is ordered, gather_results(), and finish(), or drop() and the same again.
class RankSum {
 public:
  RankSum(comm::Communicator& ranks, ThreadPool& pool, config::Numerics reduction,
          std::span<const comm::Range> groups, TaskResults& results);

  const comm::Range& own_slots() const;
  // The rank that has the slot.
  int owner(int64_t slot) const;
  // Else the sum is the library's, and groups do not begin.
  bool ordered() const { return ordered_; }

  // Sends a group's sums on their way, as SlotReduction::begin().
  void begin(size_t group, std::span<const comm::SlotNode> nodes);
  // Completes the results, which hold those of this rank's slots.
  void gather_results();
  // The finished tree of the gradients, valid until the next call. `nodes`: this rank's.
  std::span<const comm::SlotNode> finish(std::span<const comm::SlotNode> nodes);
  void drop() { reduction_.drop(); }

  // After a meta-step: `seconds` that the own slots took. Whether the slots are other ones now.
  bool plan_again(double seconds);
  size_t bytes() const { return reduction_.bytes() + total_.bytes(); }

 private:
  void deal();
  void sum_fast(std::span<const comm::SlotNode> nodes);

  comm::Communicator& ranks_;
  ThreadPool& pool_;
  TaskResults& results_;
  bool ordered_;
  SlotPlanner plan_;
  comm::SlotReduction reduction_;
  std::vector<int64_t> result_counts_;  // by rank
  Tensor total_;
  comm::SlotNode root_;
};

}  // namespace outerloop::train
