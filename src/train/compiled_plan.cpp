#include "train/compiled_plan.h"

#include <algorithm>

#include "train/lane_plan.h"

namespace outerloop::train {

CompiledGradientPlan::CompiledGradientPlan(const meta::GradientPlan& source, CallCompiler& compiler)
    : plan(source) {
  for (const PlacedCall& placed : calls_in_order(plan)) calls.emplace_back(*placed.call, compiler);
}

void CompiledGradientPlan::bind_shared(const SharedInputs& inputs) {
  for (CompiledCall& call : calls) call.bind_shared(inputs);
}

void CompiledGradientPlan::refresh() {
  for (CompiledCall& call : calls) call.refresh();
}

size_t CompiledGradientPlan::workspace_bytes() const {
  size_t bytes = 0;
  for (const CompiledCall& call : calls) {
    bytes = std::max(bytes, call.executable().lane_arena_bytes());
  }
  return bytes;
}

size_t CompiledGradientPlan::shared_bytes() const {
  size_t bytes = 0;
  for (const CompiledCall& call : calls) bytes += call.executable().shared_arena_bytes();
  return bytes;
}

Flops CompiledGradientPlan::flops_per_task() const {
  Flops flops;
  for (const CompiledCall& call : calls) {
    flops.all += call.executable().lane_flops();
    flops.dense += call.executable().lane_dense_flops();
  }
  return flops;
}

size_t CompiledGradientPlan::kernel_calls_per_task() const {
  size_t kernel_calls = 0;
  for (const CompiledCall& call : calls) kernel_calls += call.executable().lane_kernel_calls();
  return kernel_calls;
}

}  // namespace outerloop::train
