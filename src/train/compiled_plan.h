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
  size_t steps_per_task() const;  // kernel calls

  std::vector<CompiledCall> forward;
  std::vector<CompiledCall> last;        // one
  std::vector<CompiledCall> backward;    // from the last segment to the first
  std::vector<size_t> backward_segment;  // which segment each backward call belongs to

 private:
  template <class Visitor>
  void each(Visitor visitor);
};

}  // namespace outerloop::train
