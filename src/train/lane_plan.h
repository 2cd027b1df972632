#pragma once
// Which memory each per-lane value of a gradient plan has, before any is there.

#include <map>
#include <string>
#include <vector>

#include "train/compiled_plan.h"

namespace outerloop::train {

struct LanePlan {
  struct Place {
    size_t buffer = 0;  // place in `buffers`
    size_t offset = 0;  // bytes
  };
  using Places = std::map<std::string, Place, std::less<>>;
  struct Wires {
    const CompiledCall* call;
    Places inputs;  // those that are not here come from the task
    Places outputs;
  };

  std::vector<TensorType> buffers;  // states, cotangents, gradients, unused outputs
  size_t gradient = 0;              // buffer that holds the task's gradient in the end
  std::vector<Wires> calls;         // in the order in which they run

  size_t bytes() const;
};

LanePlan plan_lane(const CompiledGradientPlan& plan, const optim::ThetaLayout& layout);

}  // namespace outerloop::train
