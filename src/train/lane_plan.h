#pragma once
// Which memory each per-lane value of a plan has, before any is there.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "outerloop/meta/plan.h"
#include "outerloop/optim/outer.h"

namespace outerloop::train {

// A call of a plan. Segments of inner steps lie between numbered borders.
struct PlacedCall {
  const meta::Call* call;
  size_t enter;  // the border before its steps
  size_t leave;  // after them
};
// All that there is to run, in the order in which it runs. They point into the plan.
std::vector<PlacedCall> calls_in_order(const meta::GradientPlan& plan);

struct LanePlan {
  struct Place {
    size_t buffer = 0;  // place in `buffers`
    size_t offset = 0;  // bytes
  };
  using Places = std::map<std::string, Place, std::less<>>;
  struct Wires {
    meta::Call call;
    Places inputs;  // those that are not here come from the task
    Places outputs;
  };

  std::vector<TensorType> buffers;  // states, cotangents, gradients, other outputs
  std::optional<size_t> gradient;   // buffer that holds the task's gradient in the end, if any does
  std::vector<Wires> calls;         // in the order in which they run
  Places numbers;                   // of outputs that are looked at, a float32 each

  size_t bytes() const;
};

// Numbers: "loss", "accuracy" and "measure/<name>", as far as the learner gives them.
LanePlan plan_lane(const meta::GradientPlan& plan, const optim::ThetaLayout& layout);
// The start, then the steps. Numbers: "loss/<k>" and "accuracy/<k>" after k steps, the latter of
// classification alone.
LanePlan plan_lane(const meta::EvaluationPlan& plan);

}  // namespace outerloop::train
