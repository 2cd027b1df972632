#pragma once
// Who computes the slots of a rank: its threads (thread_team.h) or a device (device_team.h). Both
// give the same bits.

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "outerloop/comm/slot_tree.h"
#include "outerloop/train/meta_step.h"
#include "train/compiled_call.h"
#include "train/gradient_groups.h"
#include "train/task_results.h"

namespace outerloop::train {

// What every task of a training asks for. The layout must outlive the team, and so must what the
// shared inputs point to.
struct TeamWork {
  const meta::GradientPlan& plan;
  const SharedInputs& shared;
  std::shared_ptr<const data::TaskFamily> family;
  const optim::ThetaLayout& layout;
  const std::vector<meta::Measure>& measures;
};

class SlotTeam {
 public:
  // Told with 0, 1, … as the sums over all slots of the rank are final in order[0], order[1], …;
  // nodes() are these sums. Any thread may tell, one at a time.
  using Tell = std::function<void(size_t place)>;

  virtual ~SlotTeam() = default;

  // What the shared inputs point to has changed.
  virtual void refresh() = 0;

  // The order in which groups of parameters become final: the same on all ranks.
  virtual std::vector<FinalGroup> order(std::span<const comm::Range> groups) const = 0;
  virtual void deal(const comm::Range& slots) = 0;

  // Draws and computes the slots of this rank and fills in their results. `key`: all but the slot.
  // `tell` may be empty; else groups that are final before the end are told of: a slot that turns
  // out not finite after it was told of is late, and the sums are worth nothing. `times` may be
  // null.
  virtual void run(const data::TaskKey& key, TaskResults& results,
                   std::span<const FinalGroup> order, const Tell& tell, MetaStepTimes* times) = 0;
  // Of the last run(), where the team computes; the data may be overwritten.
  virtual std::span<const comm::SlotNode> nodes() = 0;

  // Hashes each parameter's gradients, over the slots of the last run() that count together.
  virtual void hash_gradients(std::span<uint32_t> hashes) = 0;
  // The slot that the next run() hashes by itself too, if it is one of this rank's.
  virtual void keep_apart(int64_t slot) = 0;
  virtual void hash_apart(std::span<uint32_t> hashes) = 0;

  // Computes one task by itself; nothing of run() changes.
  virtual SlotReplay replay(const data::TaskKey& key) = 0;
  virtual void set_gradient_hook(const GradientHook& hook) = 0;

  virtual bool has_accuracy() const = 0;
  virtual Flops flops_per_task() const = 0;
  virtual size_t kernel_calls_per_task() const = 0;  // a device's: launches
  virtual size_t lane_bytes() const = 0;             // working memory of a task
  // Of a device; see MetaStep.
  virtual size_t device_traffic_bytes() const { return 0; }
  virtual size_t library_products() const { return 0; }
  virtual std::vector<exec::StepTime> profile(const data::TaskKey& key, int repeats) = 0;
};

}  // namespace outerloop::train
