#pragma once
// A gradient plan, compiled.

#include <vector>

#include "outerloop/ops/records.h"
#include "train/compiled_call.h"

namespace outerloop::train {

// A plan compiled for all threads.
struct CompiledGradientPlan {
  CompiledGradientPlan(const meta::GradientPlan& plan, CallCompiler& compiler);

  void bind_shared(const SharedInputs& inputs);
  void refresh();
  size_t workspace_bytes() const;
  size_t shared_bytes() const;  // arenas that all lanes read
  Flops flops_per_task() const;
  size_t kernel_calls_per_task() const;

  meta::GradientPlan plan;
  std::vector<CompiledCall> calls;  // in the order of PlacedCalls (lane_plan.h)
};

}  // namespace outerloop::train
