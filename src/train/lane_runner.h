#pragma once
// One thread's way through a gradient plan: draws a task, adapts, and leaves the task's
// meta-gradient in a flat vector.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "outerloop/data/family.h"
#include "train/lane_plan.h"
#include "train/task_inputs.h"

namespace outerloop::train {

struct TaskResult {
  float loss = 0;
  float accuracy = 0;   // classification only
  bool finite = false;  // the loss and every element of the gradient
};

class LaneRunner {
 public:
  // The plan's shared inputs are bound already.
  LaneRunner(const CompiledGradientPlan& plan, std::shared_ptr<const data::TaskFamily> family,
             const optim::ThetaLayout& layout);

  void draw(const data::TaskKey& key);
  TaskResult compute();  // of the task drawn last

  bool has_accuracy() const { return accuracy_ != nullptr; }
  // Where compute() leaves the learner's measure of this name.
  const float* measure(const std::string& name) const;
  // (layout.elements,): of the last task; padding is zero.
  std::span<const float> gradient() const { return gradient_; }
  // Bytes that this runner holds besides the workspace.
  size_t buffer_bytes() const;
  void profile(std::vector<exec::StepTime>& times);

 private:
  void bind(const LanePlan::Wires& wires);

  std::shared_ptr<const data::TaskFamily> family_;
  exec::Workspace workspace_;
  TaskInputs inputs_;
  std::vector<Tensor> buffers_;  // as LanePlan::buffers
  std::vector<exec::Instance> calls_;
  std::span<const float> gradient_;
  const float* loss_ = nullptr;
  const float* accuracy_ = nullptr;
  std::map<std::string, const float*> measures_;
};

}  // namespace outerloop::train
