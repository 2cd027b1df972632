#include "train/lane_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "outerloop/base/error.h"
#include "train/finite.h"

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

// Finds the memory of every per-lane input and output.
struct LaneRunner::Wiring {
  LaneRunner& runner;
  const optim::ThetaLayout& layout;
  std::map<std::pair<size_t, std::string>, std::byte*> states;      // by boundary and name
  std::map<std::pair<size_t, std::string>, std::byte*> cotangents;  // by boundary parity and name
  std::map<std::string, int> writers_left;                          // by parameter
  std::byte* gradients[2] = {};

  std::byte* buffer(const TensorType& type) {
    runner.buffers_.emplace_back(type.dtype, type.shape);
    runner.buffer_bytes_ += type.bytes();
    return runner.buffers_.back().data();
  }

  std::byte* kept(std::map<std::pair<size_t, std::string>, std::byte*>& table, size_t place,
                  const std::string& name, const TensorType& type) {
    std::byte*& memory = table[{place, name}];
    if (memory == nullptr) memory = buffer(type);
    return memory;
  }

  // A second one is needed where a call reads what the call before it wrote.
  void make_gradients() {
    const auto twice = [](const auto& writers) { return writers.second > 1; };
    const bool both = std::ranges::any_of(writers_left, twice);
    for (size_t i = 0; i < (both ? 2 : 1); ++i) {
      gradients[i] = buffer({DType::f32, Shape{layout.elements}});
    }
  }

  // The newest value is in gradients[0] when no writer is left.
  std::byte* gradient(const std::string& parameter) const {
    const optim::ThetaEntry* entry = layout.find(parameter);
    OL_ASSERT(entry != nullptr, "a gradient of an unknown parameter: " + parameter);
    const int left = writers_left.at(parameter);
    return gradients[left % 2] + entry->offset * static_cast<int64_t>(sizeof(float));
  }

  // `enter` and `leave` number the segment borders before and after the call.
  const void* input(const std::string& name, const TensorType& type, const meta::Call& call,
                    size_t enter, size_t leave) {
    if (const void* task = runner.inputs_.find(name, type, call.first_step)) return task;
    if (name.starts_with("state/")) return kept(states, enter, name, type);
    if (name.starts_with("cotangent/")) return kept(cotangents, leave % 2, name, type);
    if (name.starts_with("grad/")) return gradient(name.substr(5));
    throw_internal_error("known input", __FILE__, __LINE__, "nobody gives the input " + name);
  }

  std::byte* output(const std::string& name, const TensorType& type, size_t enter, size_t leave) {
    if (name.starts_with("state/")) return kept(states, leave, name, type);
    if (name.starts_with("cotangent/")) return kept(cotangents, enter % 2, name, type);
    if (name.starts_with("grad/")) {
      --writers_left.at(name.substr(5));
      return gradient(name.substr(5));
    }
    std::byte* memory = buffer(type);
    const auto* scalar = reinterpret_cast<const float*>(memory);
    if (name == "loss") runner.loss_ = scalar;
    if (name == "accuracy") runner.accuracy_ = scalar;
    if (name.starts_with("measure/")) runner.measures_[name.substr(8)] = scalar;
    return memory;
  }

  void bind(const CompiledCall& call, size_t enter, size_t leave) {
    runner.calls_.push_back(call.instance(
        runner.workspace_,
        [&](const std::string& name, const TensorType& type) {
          return input(name, type, call.call(), enter, leave);
        },
        [&](const std::string& name, const TensorType& type) {
          return output(name, type, enter, leave);
        }));
  }

  void count_writers(const CompiledCall& call) {
    for (const ProgramOutput& out : call.program().outputs) {
      if (out.name.starts_with("grad/")) ++writers_left[out.name.substr(5)];
    }
  }
};

LaneRunner::LaneRunner(const CompiledGradientPlan& plan,
                       std::shared_ptr<const data::TaskFamily> family,
                       const optim::ThetaLayout& layout)
    : family_(std::move(family)), workspace_(plan.workspace_bytes()), inputs_(family_->spec()) {
  wire(plan, layout);
}

void LaneRunner::wire(const CompiledGradientPlan& plan, const optim::ThetaLayout& layout) {
  Wiring wiring{*this, layout, {}, {}, {}, {}};
  for (const auto* calls : {&plan.last, &plan.backward}) {
    for (const CompiledCall& call : *calls) wiring.count_writers(call);
  }
  wiring.make_gradients();
  gradient_ = {reinterpret_cast<const float*>(wiring.gradients[0]),
               static_cast<size_t>(layout.elements)};
  for (size_t s = 0; s < plan.forward.size(); ++s) wiring.bind(plan.forward[s], s, s + 1);
  wiring.bind(plan.last.front(), plan.forward.size(), plan.forward.size() + 1);
  for (size_t b = 0; b < plan.backward.size(); ++b) {
    const size_t segment = plan.backward_segment[b];
    wiring.bind(plan.backward[b], segment, segment + 1);
  }
  OL_ASSERT(loss_ != nullptr, "the plan gives no loss");
}

void LaneRunner::draw(const data::TaskKey& key) {
  inputs_.draw(*family_, key);
}

TaskResult LaneRunner::compute() {
  for (exec::Instance& call : calls_) call.run();
  TaskResult result{.loss = *loss_};
  if (accuracy_ != nullptr) result.accuracy = *accuracy_;
  result.finite = std::isfinite(result.loss) && all_finite(gradient_);
  return result;
}

const float* LaneRunner::measure(const std::string& name) const {
  const auto found = measures_.find(name);
  OL_ASSERT(found != measures_.end(), "the plan gives no measure " + name);
  return found->second;
}

void LaneRunner::profile(std::vector<exec::StepTime>& times) {
  std::vector<exec::StepTime> all;
  for (exec::Instance& call : calls_) {
    std::vector<exec::StepTime> own;
    call.run_timed(own);
    all.insert(all.end(), own.begin(), own.end());
  }
  if (times.empty()) times.resize(all.size());
  for (size_t i = 0; i < all.size(); ++i) {
    times[i].description = all[i].description;
    times[i].flops = all[i].flops;
    times[i].seconds += all[i].seconds;
  }
}

}  // namespace outerloop::train
