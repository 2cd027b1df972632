#include "train/compiled_plan.h"

#include <algorithm>

namespace outerloop::train {

CompiledGradientPlan::CompiledGradientPlan(const meta::GradientPlan& plan, CallCompiler& compiler) {
  for (const meta::Call& call : plan.forward) forward.emplace_back(call, compiler);
  last.emplace_back(plan.last, compiler);
  for (size_t s = plan.backward.size(); s-- > 0;) {
    if (!plan.backward[s].program) continue;
    backward.emplace_back(plan.backward[s], compiler);
    backward_segment.push_back(s);
  }
}

template <class Visitor>
void CompiledGradientPlan::each(Visitor visitor) {
  for (auto* calls : {&forward, &last, &backward}) std::ranges::for_each(*calls, visitor);
}

void CompiledGradientPlan::bind_shared(const SharedInputs& inputs) {
  each([&](CompiledCall& call) { call.bind_shared(inputs); });
}

void CompiledGradientPlan::refresh() {
  each([](CompiledCall& call) { call.refresh(); });
}

size_t CompiledGradientPlan::workspace_bytes() const {
  size_t bytes = 0;
  const_cast<CompiledGradientPlan*>(this)->each(
      [&](CompiledCall& call) { bytes = std::max(bytes, call.executable().lane_arena_bytes()); });
  return bytes;
}

size_t CompiledGradientPlan::shared_bytes() const {
  size_t bytes = 0;
  const_cast<CompiledGradientPlan*>(this)->each(
      [&](CompiledCall& call) { bytes += call.executable().shared_arena_bytes(); });
  return bytes;
}

Flops CompiledGradientPlan::flops_per_task() const {
  Flops flops;
  const_cast<CompiledGradientPlan*>(this)->each([&](CompiledCall& call) {
    flops.all += call.executable().lane_flops();
    flops.dense += call.executable().lane_dense_flops();
  });
  return flops;
}

size_t CompiledGradientPlan::steps_per_task() const {
  size_t steps = 0;
  const_cast<CompiledGradientPlan*>(this)->each(
      [&](CompiledCall& call) { steps += call.executable().lane_steps(); });
  return steps;
}

}  // namespace outerloop::train
