#pragma once
// What the ranks bring together in a meta-step: the tasks' results and the sum of their gradients.

#include <span>
#include <vector>

#include "outerloop/base/thread_pool.h"
#include "outerloop/comm/slot_reduction.h"
#include "train/slot_plan.h"
#include "train/task_results.h"

namespace outerloop::train {

// All verbs are collective but own_slots() and owner(). In a meta-step: begin() each group,
// gather_results(), and finish(), or drop() and the same again.
class RankSum {
 public:
  RankSum(comm::Communicator& ranks, ThreadPool& pool, std::span<const comm::Range> groups,
          TaskResults& results);

  const comm::Range& own_slots() const;
  // The rank that has the slot.
  int owner(int64_t slot) const;

  // Sends a group's sums on their way, as SlotReduction::begin().
  void begin(size_t group, std::span<const comm::SlotNode> nodes);
  // Completes the results, which hold those of this rank's slots.
  void gather_results();
  // The finished tree of the gradients, valid until the next call.
  std::span<const comm::SlotNode> finish();
  void drop() { reduction_.drop(); }

  // After a meta-step: `seconds` that the own slots took. Whether the slots are other ones now.
  bool plan_again(double seconds);
  size_t bytes() const { return reduction_.bytes() + total_.bytes(); }

 private:
  void deal();

  comm::Communicator& ranks_;
  TaskResults& results_;
  SlotPlanner plan_;
  comm::SlotReduction reduction_;
  std::vector<int64_t> result_counts_;  // by rank
  Tensor total_;
  comm::SlotNode root_;
};

}  // namespace outerloop::train
