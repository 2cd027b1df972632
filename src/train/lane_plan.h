#pragma once
// Which memory each per-lane value of a gradient plan has, before any is there.

#include <map>
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
    const meta::Call* call;  // of the plan
    Places inputs;           // those that are not here come from the task
    Places outputs;
  };

  std::vector<TensorType> buffers;  // states, cotangents, gradients, unused outputs
  size_t gradient = 0;              // buffer that holds the task's gradient in the end
  std::vector<Wires> calls;         // as calls_in_order()

  size_t bytes() const;
};

LanePlan plan_lane(const meta::GradientPlan& plan, const optim::ThetaLayout& layout);

}  // namespace outerloop::train
