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

namespace {

meta::TaskShape with_queries(meta::TaskShape shape, int64_t rows) {
  shape.query_rows = rows;
  return shape;
}

}  // namespace

struct Adapter::Impl {
  // Calls of so many rows, by step.
  struct Answers {
    int64_t rows = 0;
    std::vector<CompiledCall> calls;
    std::vector<Tensor> predictions;
    std::vector<exec::Instance> instances;
  };

  Impl(const meta::Learner& learner, const meta::TaskShape& shape, int64_t steps,
       const exec::CompileOptions& compile, int64_t most_rows)
      : layout(layout_of(learner.parameters)),
        theta(DType::f32, Shape{layout.elements}),
        row_elements(static_cast<size_t>(shape.example.elements())),
        inputs(episode_spec(with_queries(shape, std::max(shape.query_rows, most_rows)), steps)) {
    CallCompiler compiler(compile);
    const meta::AnswerPlan plan = meta::make_answer_plan(learner, shape, steps);
    for (const meta::Call& call : plan.steps) step_calls.emplace_back(call, compiler);
    add_answers(shape.query_rows, plan, compiler);
    if (most_rows > shape.query_rows) {
      add_answers(most_rows, meta::make_answer_plan(learner, with_queries(shape, most_rows), steps),
                  compiler);
    }
    const SharedInputs shared = theta_inputs(theta.as<float>().data(), layout);
    size_t bytes = 0;
    for (CompiledCall* call : all_calls()) {
      call->bind_shared(shared);
      bytes = std::max(bytes, call->executable().lane_arena_bytes());
    }
    workspace.emplace(bytes);
    wire();
  }

  void add_answers(int64_t rows, const meta::AnswerPlan& plan, CallCompiler& compiler) {
    Answers& added = answers.emplace_back();
    added.rows = rows;
    for (const meta::Call& call : plan.answers) added.calls.emplace_back(call, compiler);
  }

  std::vector<CompiledCall*> all_calls() {
    std::vector<CompiledCall*> all;
    for (CompiledCall& call : step_calls) all.push_back(&call);
    for (Answers& of_size : answers) {
      for (CompiledCall& call : of_size.calls) all.push_back(&call);
    }
    return all;
  }

  void wire() {
    for (size_t k = 0; k < step_calls.size(); ++k) {
      steps_.push_back(
          wired(step_calls[k], k, [&](const std::string& name, const TensorType& type) {
            return state(k + 1, name, type);
          }));
    }
    for (Answers& of_size : answers) {
      for (size_t k = 0; k < of_size.calls.size(); ++k) {
        const auto output = [&](const std::string&, const TensorType& type) {
          return of_size.predictions.emplace_back(type.dtype, type.shape).data();
        };
        of_size.instances.push_back(wired(of_size.calls[k], k, output));
      }
    }
  }

  // The smallest calls that take so many rows.
  Answers& answers_of(size_t rows) {
    for (Answers& of_size : answers) {
      if (rows <= static_cast<size_t>(of_size.rows)) return of_size;
    }
    OL_ASSERT(false, "more queries than a call has");
    return answers.back();
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
  size_t row_elements;
  TaskInputs inputs;  // queries of the largest calls: smaller ones read the first rows
  std::vector<CompiledCall> step_calls;
  std::optional<exec::Workspace> workspace;
  std::map<std::pair<size_t, std::string>, Tensor> states;  // phi after so many steps, by name
  std::vector<exec::Instance> steps_;
  std::vector<Answers> answers;  // the smaller first
};

Adapter::Adapter(const meta::Learner& learner, const meta::TaskShape& shape, int64_t steps,
                 const exec::CompileOptions& compile, int64_t most_rows)
    : impl_(std::make_unique<Impl>(learner, shape, learner.step ? steps : 0, compile, most_rows)) {}
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

double Adapter::answer_flops(int64_t step, int64_t rows) const {
  const Impl::Answers& of_size = impl_->answers_of(static_cast<size_t>(rows));
  return of_size.calls[static_cast<size_t>(step)].executable().lane_flops();
}

void Adapter::set_theta(const Tensor& flat) {
  OL_ASSERT(flat.bytes() == impl_->theta.bytes(), "theta of another layout");
  std::memcpy(impl_->theta.data(), flat.data(), flat.bytes());
  for (CompiledCall* call : impl_->all_calls()) call->refresh();
}

void Adapter::adapt(const data::Episode& episode, uint64_t seed) {
  impl_->inputs.copy_support(episode, {.seed = seed, .split = data::Split::test});
  for (exec::Instance& step : impl_->steps_) step.run();
}

std::span<const float> Adapter::answer(int64_t step, std::span<const float> query_x) {
  const size_t rows = query_x.size() / impl_->row_elements;
  Impl::Answers& of_size = impl_->answers_of(rows);
  std::ranges::copy(query_x, impl_->inputs.query_x().begin());
  const auto k = static_cast<size_t>(step);
  of_size.instances[k].run();
  const std::span<const float> answers = of_size.predictions[k].as<float>();
  return answers.first(answers.size() / static_cast<size_t>(of_size.rows) * rows);
}

}  // namespace outerloop::train
