#pragma once
// One thread's consecutive slots of a meta-batch: each is drawn, computed and added up.

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "outerloop/comm/slot_tree.h"
#include "outerloop/train/meta_step.h"
#include "train/bit_sums.h"
#include "train/gradient_groups.h"
#include "train/lane_runner.h"
#include "train/task_results.h"

namespace outerloop::train {

class SlotWorker {
 public:
  // Whoever sends the sums on their way: told with 0, 1, … as this worker's sums are final in
  // groups[0], groups[1], …
  struct Release {
    std::span<const FinalGroup> groups;
    std::function<void(size_t place)> tell;
  };

  SlotWorker(const CompiledGradientPlan& plan, std::shared_ptr<const data::TaskFamily> family,
             const optim::ThetaLayout& layout, const std::vector<meta::Measure>& measures);

  // The slots of run(), from now on. `ahead`: draw_ahead() will be called.
  void deal(const comm::Range& slots, bool ahead);

  // Draws the tasks of the iteration behind that of the last run(), where tasks are small.
  void draw_ahead() noexcept;

  // Fills in the results of its slots. Groups are told of inside the last slot: one that turns out
  // not finite after that is late, and the sums are worth nothing. `key`: all but the slot. `times`
  // may be null.
  void run(data::TaskKey key, TaskResults& results, const Release& release, MetaStepTimes* times);

  std::span<const comm::SlotNode> nodes() const { return sums_.nodes(); }
  // Of each parameter's gradients, over the slots of the last run() that count.
  std::span<const LaneSums> bit_sums() const { return bit_sums_; }

  // The slot whose bit sums the next run() keeps by themselves, if it is one of this worker's.
  void keep_apart(int64_t slot) { apart_ = slot; }
  std::span<const LaneSums> apart() const { return apart_sums_; }

  // Computes one task by itself; nothing of run() changes.
  SlotReplay replay(const data::TaskKey& key);

  void set_gradient_hook(GradientHook hook) { hook_ = std::move(hook); }
  LaneRunner& runner() { return runner_; }
  size_t bytes() const;
  // That draw_ahead() asks for with so many slots.
  static size_t bytes_ahead(const data::EpisodeSpec& spec, int64_t slots);

 private:
  template <bool kTimed>
  void run_slots(data::TaskKey key, TaskResults& results, const Release& release,
                 MetaStepTimes* times);
  TaskResults::State compute_and_add(const data::TaskKey& key);
  TaskResults::State compute_and_release(const data::TaskKey& key, const Release& release);
  bool hash(const data::TaskKey& key, const comm::Range& elements);
  void keep_hash(int64_t slot, TaskResults::Task& task, TaskResults::State state);

  bool is_next(const data::TaskKey& key) const;

  std::shared_ptr<const data::TaskFamily> family_;
  int64_t elements_;
  std::vector<int64_t> parameter_ends_;
  comm::Range slots_;
  LaneRunner runner_;
  data::TaskKey key_;                               // of the last run(), all but the slot
  std::vector<std::unique_ptr<TaskInputs>> ahead_;  // by slot; none where tasks are large
  bool is_drawn_ = false;                           // ahead_, of the iteration behind key_
  comm::SlotAccumulator sums_;
  std::vector<const float*> measures_;
  uint32_t hash_ = 0;                 // of the slot under way
  std::vector<LaneSums> slot_sums_;   // its own, by parameter
  std::vector<LaneSums> bit_sums_;    // by parameter
  std::vector<LaneSums> apart_sums_;  // the same of one slot
  int64_t apart_ = -1;
  GradientHook hook_;
};

}  // namespace outerloop::train
