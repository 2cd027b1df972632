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
  // Of the first layer after so many steps.
  struct Product {
    CompiledCall call;
    std::map<std::string, Tensor> outputs;
    std::optional<exec::Instance> instance;
  };

  // Calls of so many rows, by step.
  struct Answers {
    int64_t rows = 0;
    std::vector<CompiledCall> calls;
    std::vector<Tensor> predictions;
    std::vector<exec::Instance> instances;
  };

  Impl(const meta::Learner& learner, const meta::TaskShape& shape, int64_t steps,
       const exec::CompileOptions& compile, const AnswerCalls& calls)
      : layout(layout_of(learner.parameters)), theta(DType::f32, Shape{layout.elements}) {
    CallCompiler compiler(compile);
    const int64_t most_rows = std::max(shape.query_rows, calls.most_rows);
    const meta::AnswerPlan plan = meta::make_answer_plan(learner, shape, steps);
    const bool is_cut = calls.from_products && !plan.cut.empty();
    inputs.emplace(episode_spec(with_queries(shape, is_cut ? shape.query_rows : most_rows), steps));
    for (const meta::Call& call : plan.steps) step_calls.emplace_back(call, compiler);
    if (is_cut) add_products(plan, most_rows, compiler);
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
    for (size_t k = 0; k < plan.answers.size(); ++k) {
      added.calls.emplace_back(products.empty() ? plan.answers[k] : plan.cut[k].rest, compiler);
    }
  }

  void add_products(const meta::AnswerPlan& plan, int64_t most_rows, CallCompiler& compiler) {
    for (const meta::AnswerPlan::Cut& cut : plan.cut) {
      const CompiledCall& call =
          products.emplace_back(Product{{cut.product, compiler}, {}, {}}).call;
      const Program& program = call.program();
      for (const char* name : {"product", "product_weight"}) {
        const auto at = static_cast<size_t>(program.output_index(name));
        const TensorType& type = program.type(program.outputs[at].value);
        products.back().outputs.emplace(name, Tensor(type.dtype, type.shape));
      }
    }
    const int64_t width = products.front().outputs.at("product").shape()[1];
    asked_products = Tensor(DType::f32, Shape{most_rows, width});
  }

  std::vector<CompiledCall*> all_calls() {
    std::vector<CompiledCall*> all;
    for (CompiledCall& call : step_calls) all.push_back(&call);
    for (Product& product : products) all.push_back(&product.call);
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
    for (size_t k = 0; k < products.size(); ++k) {
      Product& of_step = products[k];
      const auto output = [&](const std::string& name, const TensorType&) {
        return of_step.outputs.at(name).data();
      };
      of_step.instance.emplace(wired(of_step.call, k, output));
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
      if (const void* task = inputs->find(name, type, call.call().first_step)) return task;
      if (name == "query_product") return asked_products.data();
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
  std::optional<TaskInputs>
      inputs;  // queries of the largest calls: smaller ones read the first rows
  std::vector<CompiledCall> step_calls;
  std::optional<exec::Workspace> workspace;
  std::map<std::pair<size_t, std::string>, Tensor> states;  // phi after so many steps, by name
  std::vector<exec::Instance> steps_;
  std::vector<Product> products;  // by step; none: answers start from query rows
  Tensor asked_products;          // (rows of the largest calls, width)
  std::vector<Answers> answers;   // the smaller first
};

Adapter::Adapter(const meta::Learner& learner, const meta::TaskShape& shape, int64_t steps,
                 const exec::CompileOptions& compile, const AnswerCalls& calls)
    : impl_(std::make_unique<Impl>(learner, shape, learner.step ? steps : 0, compile, calls)) {}
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

double Adapter::product_flops(int64_t step) const {
  if (impl_->products.empty()) return 0;
  return impl_->products[static_cast<size_t>(step)].call.executable().lane_flops();
}

void Adapter::set_theta(const Tensor& flat) {
  OL_ASSERT(flat.bytes() == impl_->theta.bytes(), "theta of another layout");
  std::memcpy(impl_->theta.data(), flat.data(), flat.bytes());
  for (CompiledCall* call : impl_->all_calls()) call->refresh();
}

void Adapter::adapt(const data::Episode& episode, uint64_t seed) {
  impl_->inputs->copy_support(episode, {.seed = seed, .split = data::Split::test});
  for (exec::Instance& step : impl_->steps_) step.run();
}

std::span<float> Adapter::queries() {
  return impl_->inputs->query_x();
}

size_t Adapter::product_width() const {
  const bool is_cut = !impl_->products.empty();
  return is_cut ? static_cast<size_t>(impl_->asked_products.shape()[1]) : 0;
}

Adapter::Product Adapter::product(int64_t step) {
  Impl::Product& product = impl_->products[static_cast<size_t>(step)];
  product.instance->run();
  const auto output = [&](const char* name) {
    return std::as_const(product.outputs.at(name)).as<float>();
  };
  return {output("product"), output("product_weight")};
}

std::span<float> Adapter::products() {
  return impl_->asked_products.as<float>();
}

std::span<const float> Adapter::answer(int64_t step, size_t rows) {
  Impl::Answers& of_size = impl_->answers_of(rows);
  const auto k = static_cast<size_t>(step);
  of_size.instances[k].run();
  const std::span<const float> answers = of_size.predictions[k].as<float>();
  return answers.first(answers.size() / static_cast<size_t>(of_size.rows) * rows);
}

}  // namespace outerloop::train
