#pragma once
// What the ranks bring together in a meta-step: the tasks' results and the sum of their gradients.

#include <memory>
#include <span>
#include <vector>

#include "outerloop/config/config.h"
#include "train/gradient_sum.h"
#include "train/slot_plan.h"
#include "train/task_results.h"

namespace outerloop::train {

// All verbs are collective but own_slots(), owner() and ordered(). In a meta-step: begin() each
// group where the sum is ordered, gather_results(), and finish(), or drop() and the same again.
class RankSum {
 public:
  // `at_once`: as in RankSpeed, of this rank. `any_slots`: whether all ranks can take
  // others than they start with.
  RankSum(comm::Communicator& ranks, int at_once, bool any_slots, config::Numerics reduction,
          TaskResults& results, std::unique_ptr<GradientSum> sum);

  const comm::Range& own_slots() const;
  // The rank that has the slot.
  int owner(int64_t slot) const;
  // Else the sum is the library's, and groups do not begin.
  bool ordered() const { return ordered_; }

  void begin(size_t group, std::span<const comm::SlotNode> nodes) { sum_->begin(group, nodes); }
  // Completes the results, which hold those of this rank's slots.
  void gather_results();
  // The finished tree of the gradients, valid until the next call. `nodes`: this rank's.
  std::span<const comm::SlotNode> finish(std::span<const comm::SlotNode> nodes);
  void drop() { sum_->drop(); }

  // After a meta-step: `seconds` that the own slots took. Whether the slots are other ones now.
  bool plan_again(double seconds);

 private:
  void deal();

  comm::Communicator& ranks_;
  TaskResults& results_;
  bool ordered_;
  bool any_slots_;
  SlotPlanner plan_;
  std::unique_ptr<GradientSum> sum_;
  std::vector<int64_t> result_counts_;  // by rank
  comm::SlotNode root_;
};

}  // namespace outerloop::train
