#pragma once
// One thread's way through a gradient plan: draws a task, adapts, and leaves the task's
// meta-gradient in a flat vector.

#include <memory>
#include <string>
#include <vector>

#include "outerloop/data/family.h"
#include "train/compiled_plan.h"
#include "train/gradient_groups.h"
#include "train/lane_memory.h"

namespace outerloop::train {

class LaneRunner {
 public:
  // The plan's shared inputs are bound already.
  LaneRunner(const CompiledGradientPlan& plan, std::shared_ptr<const data::TaskFamily> family,
             const optim::ThetaLayout& layout);

  void draw(const data::TaskKey& key);
  // The same of a task that was drawn elsewhere.
  void take(const TaskInputs& drawn) { memory_.inputs().copy(drawn); }
  // Of the task drawn last.
  void compute() {
    compute(std::span<const FinalGroup>(), [](size_t) {});
  }
  // Calls reached(0), reached(1), … as the lane comes to the milestones, which are in its order.
  template <class Reached>
  void compute(std::span<const FinalGroup> groups, Reached&& reached) {
    size_t next = 0;
    for (size_t c = 0; c < calls_.size(); ++c) {
      size_t done = 0;
      for (; next < groups.size() && groups[next].when.call == c; ++next) {
        calls_[c].run(done, groups[next].when.steps);
        done = groups[next].when.steps;
        reached(next);
      }
      calls_[c].run(done, steps_[c]);
    }
  }

  // What compute() found.
  float loss() const { return *loss_; }
  // Zero where there is none.
  float accuracy() const { return accuracy_ != nullptr ? *accuracy_ : 0; }
  bool has_accuracy() const { return accuracy_ != nullptr; }
  // Where compute() leaves the learner's measure of this name.
  const float* measure(const std::string& name) const;
  // (layout.elements,): of the last task; padding is zero.
  std::span<float> gradient() const { return gradient_; }
  // Bytes that this runner holds besides the workspace.
  size_t buffer_bytes() const;
  void profile(std::vector<exec::StepTime>& times);

 private:
  // Null where the plan has none of this name.
  const float* number(const std::string& name) const;

  std::shared_ptr<const data::TaskFamily> family_;
  LanePlan lane_;
  LaneMemory memory_;
  std::vector<exec::Instance> calls_;
  std::vector<size_t> steps_;  // of each call
  std::span<float> gradient_;
  const float* loss_;
  const float* accuracy_;  // null where there is none
};

}  // namespace outerloop::train
