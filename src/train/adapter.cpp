#include "outerloop/train/adapter.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <vector>

#include "outerloop/base/error.h"
#include "outerloop/train/evaluation.h"
#include "outerloop/train/theta.h"
#include "train/compiled_call.h"
#include "train/task_inputs.h"

namespace outerloop::train {

struct Adapter::Impl {
  Impl(const meta::Learner& learner, const meta::TaskShape& shape, int64_t steps,
       const exec::CompileOptions& compile)
      : layout(layout_of(learner.parameters)),
        theta(DType::f32, Shape{layout.elements}),
        inputs(episode_spec(shape, steps)) {
    const meta::AnswerPlan plan = meta::make_answer_plan(learner, shape, steps);
    CallCompiler compiler(compile);
    for (const meta::Call& call : plan.steps) step_calls.emplace_back(call, compiler);
    for (const meta::Call& call : plan.answers) answer_calls.emplace_back(call, compiler);
    const SharedInputs shared = theta_inputs(theta.as<float>().data(), layout);
    size_t bytes = 0;
    for (auto* calls : {&step_calls, &answer_calls}) {
      for (CompiledCall& call : *calls) {
        call.bind_shared(shared);
        bytes = std::max(bytes, call.executable().lane_arena_bytes());
      }
    }
    workspace.emplace(bytes);
    for (size_t k = 0; k < step_calls.size(); ++k) {
      steps_.push_back(
          wired(step_calls[k], k, [&](const std::string& name, const TensorType& type) {
            return state(k + 1, name, type);
          }));
    }
    for (size_t k = 0; k < answer_calls.size(); ++k) {
      answers.push_back(wired(answer_calls[k], k, [&](const std::string&, const TensorType& type) {
        predictions.emplace_back(type.dtype, type.shape);
        return predictions.back().data();
      }));
    }
  }

  // A call that starts from phi after k steps.
  template <class Output>
  exec::Instance wired(const CompiledCall& call, size_t k, Output output) {
    const auto input = [&](const std::string& name, const TensorType& type) -> const void* {
      if (const void* task = inputs.find(name, type, call.call().first_step)) return task;
      OL_ASSERT(name.starts_with("state/"), "nobody gives the input " + name);
      return state(k, name, type);
    };
    return call.instance(*workspace, input, output);
  }

  std::byte* state(size_t steps, const std::string& name, const TensorType& type) {
    const auto [found, is_new] = states.try_emplace({steps, name});
    if (is_new) found->second = Tensor(type.dtype, type.shape);
    return found->second.data();
  }

  optim::ThetaLayout layout;
  Tensor theta;
  TaskInputs inputs;
  std::vector<CompiledCall> step_calls, answer_calls;
  std::optional<exec::Workspace> workspace;
  std::map<std::pair<size_t, std::string>, Tensor> states;  // phi after so many steps, by name
  std::vector<Tensor> predictions;                          // by step
  std::vector<exec::Instance> steps_, answers;
};

Adapter::Adapter(const meta::Learner& learner, const meta::TaskShape& shape, int64_t steps,
                 const exec::CompileOptions& compile)
    : impl_(std::make_unique<Impl>(learner, shape, learner.step ? steps : 0, compile)) {}
Adapter::~Adapter() = default;
Adapter::Adapter(Adapter&&) noexcept = default;
Adapter& Adapter::operator=(Adapter&&) noexcept = default;

int64_t Adapter::steps() const {
  return static_cast<int64_t>(impl_->step_calls.size());
}

double Adapter::adapt_flops() const {
  double flops = 0;
  for (const CompiledCall& call : impl_->step_calls) flops += call.executable().lane_flops();
  return flops;
}

double Adapter::answer_flops(int64_t step) const {
  return impl_->answer_calls[static_cast<size_t>(step)].executable().lane_flops();
}

void Adapter::set_theta(const Tensor& flat) {
  OL_ASSERT(flat.bytes() == impl_->theta.bytes(), "theta of another layout");
  std::memcpy(impl_->theta.data(), flat.data(), flat.bytes());
  for (auto* calls : {&impl_->step_calls, &impl_->answer_calls}) {
    for (CompiledCall& call : *calls) call.refresh();
  }
}

void Adapter::adapt(const data::Episode& episode, uint64_t seed) {
  impl_->inputs.copy_support(episode, {.seed = seed, .split = data::Split::test});
  for (exec::Instance& step : impl_->steps_) step.run();
}

std::span<const float> Adapter::answer(int64_t step, std::span<const float> query_x) {
  const std::span<float> rows = impl_->inputs.query_x();
  OL_ASSERT(rows.size() == query_x.size(), "queries of another shape");
  std::ranges::copy(query_x, rows.begin());
  const auto k = static_cast<size_t>(step);
  impl_->answers[k].run();
  return impl_->predictions[k].as<float>();
}

}  // namespace outerloop::train
