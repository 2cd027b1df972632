#pragma once
// What the ranks bring together in a meta-step: the tasks' results and the sum of their gradients.

#include <functional>
#include <memory>
#include <optional>
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
  // `speed`: where all ranks can take other slots than they start with; else null.
  struct Speed {
    int at_once = 1;   // as in RankSpeed, of this rank
    int64_t rest = 0;  // as of SlotPlanner
  };
  RankSum(comm::Communicator& ranks, std::optional<Speed> speed, config::Numerics reduction,
          TaskResults& results, std::unique_ptr<GradientSum> sum);

  const comm::Range& own_slots() const;
  // The rank that has the slot.
  int owner(int64_t slot) const;
  // Else the sum is the library's, and groups do not begin.
  bool ordered() const { return ordered_; }

  void begin(size_t group, std::span<const comm::SlotNode> nodes) { sum_->begin(group, nodes); }
  // Completes the results, which hold those of this rank's slots.
  void gather_results();
  // The same for several steps at once. `fill(i)` puts those of step i there; later give(i) puts
  // all there.
  void gather_results(int64_t steps, const std::function<void(int64_t)>& fill);
  void give_results(int64_t step);
  // The finished tree of the gradients, valid until the next call. `nodes`: this rank's.
  std::span<const comm::SlotNode> finish(std::span<const comm::SlotNode> nodes);
  void drop() { sum_->drop(); }

  // After a meta-step: `seconds` that the own slots took. Whether the slots are other ones now.
  bool plan_again(double seconds);
  // Meta-steps to come of which nobody asks what the slots took.
  int64_t resting() const;
  // Tells that so many of them were made.
  void rested(int64_t steps) { plan_.rested(steps); }

 private:
  void deal();

  comm::Communicator& ranks_;
  TaskResults& results_;
  bool ordered_;
  bool takes_any_;
  SlotPlanner plan_;
  std::unique_ptr<GradientSum> sum_;
  std::span<float> own_results();

  std::vector<int64_t> result_counts_;  // by rank
  // Of several steps: by rank those of its slots, step by step.
  std::vector<float> kept_;
  std::vector<int64_t> kept_counts_;
  comm::SlotNode root_;
};

}  // namespace outerloop::train
