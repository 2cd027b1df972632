#include "meta/gradient_learner.h"

#include <fmt/format.h>

#include "meta/segment.h"
#include "outerloop/autodiff/autodiff.h"
#include "outerloop/ops/ops.h"
#include "outerloop/optim/inner.h"

namespace outerloop::meta {

namespace {

constexpr const char* kVarianceLeft = "variance_left";
constexpr const char* kOuterLoss = "outer_loss";  // state: sum of the weighted losses so far

// The network, the options, and the functions that the learner is made of.
class InnerLoopWriter {
 public:
  InnerLoopWriter(const config::Config& config, const TaskShape& shape, InnerLoop options)
      : config_(config),
        options_(std::move(options)),
        model_(nn::make_model(config.model, shape.example, shape.outputs)) {
    for (const nn::ParameterSpec& spec : model_.parameters) {
      if (options_.adapts(spec)) adapted_.push_back(spec);
      if (is_per_step(spec)) per_step_.push_back(spec);
    }
  }

  nn::ParameterSpecs parameters() const;
  const nn::Model& model() const { return model_; }

  Values init(const Values& theta) const {
    Values state;
    for (const nn::ParameterSpec& spec : adapted_) state.set(spec.name, theta.at(spec.name));
    if (!carries_variance()) return state;
    // The mean over the tasks' ends may have rounded them below zero, where a root is no number.
    for (const nn::ParameterSpec& spec : adapted_) {
      const std::string name = "variance/" + spec.name;
      state.set(name, relu(theta.at(name)));
    }
    state.set(kVarianceLeft, theta.at(kVarianceLeft));
    return state;
  }
  StepResult step(const Values& theta, const Values& state, const Step& step) const;
  Expr predict(const Values& theta, const Values& state, const Query& query) const;
  Objective objective(const Values& theta, const Values& state, const Query& query) const;

 private:
  bool carries_variance() const {
    return options_.carries_variance && config_.inner.optimizer == config::InnerOptimizer::adam;
  }
  bool is_per_step(const nn::ParameterSpec& spec) const {
    return options_.per_step_norm && spec.role == nn::ParameterRole::norm;
  }
  // What the network is given; `step` chooses the row of per-step parameters (null: the first).
  Values network(const Values& theta, const Values& state, const Step* step) const;
  Expr descended(Expr loss, int64_t ways) const;
  Expr inner_objective(const Values& theta, const Values& state, Expr loss, int64_t ways) const;
  Expr rate_of(const std::string& parameter, const Values& theta, const Step& step,
               DType dtype) const;
  Expr weight_decay(const Values& theta, Expr weight) const;
  // The gradient that the optimiser is given, with weight decay and pull.
  Expr direction(const std::string& parameter, Expr gradient, Expr weight, const Values& theta,
                 const Step& step) const;
  void update(const std::string& parameter, Expr gradient, const Values& theta, const Step& step,
              Values& state) const;

  config::Config config_;
  InnerLoop options_;
  nn::Model model_;
  nn::ParameterSpecs adapted_;
  nn::ParameterSpecs per_step_;
};

nn::ParameterSpecs InnerLoopWriter::parameters() const {
  nn::ParameterSpecs specs = model_.parameters;
  const int64_t steps = config_.inner.steps;
  for (nn::ParameterSpec& spec : specs) {
    if (is_per_step(spec)) spec.shape = {steps, spec.shape[0]};
  }
  const double rate = config_.inner.rate;
  if (options_.rate == RateKind::scalar) specs.push_back(setting("inner/rate", {}, rate));
  for (const nn::ParameterSpec& spec : adapted_) {
    const std::string name = "inner/rate/" + spec.name;
    if (options_.rate == RateKind::per_element) specs.push_back(setting(name, spec.shape, rate));
    if (options_.rate == RateKind::per_tensor_and_step) {
      specs.push_back(setting(name, {steps}, rate));
    }
  }
  if (options_.learn_weight_decay) {
    specs.push_back(setting("inner/weight_decay", {}, config_.inner.weight_decay));
  }
  if (carries_variance()) {
    for (const nn::ParameterSpec& spec : adapted_) {
      specs.push_back(setting("variance/" + spec.name, spec.shape, 0));
    }
    specs.push_back(setting(kVarianceLeft, {}, 1));
  }
  return specs;
}

Values InnerLoopWriter::network(const Values& theta, const Values& state, const Step* step) const {
  Values values;
  for (const nn::ParameterSpec& spec : model_.parameters) {
    const Expr adapted = state.find(spec.name);
    values.set(spec.name, adapted.valid() ? adapted : theta.at(spec.name));
  }
  for (const nn::ParameterSpec& spec : per_step_) {
    const Expr rows = theta.at(spec.name);  // (step, channel)
    const Expr row = step != nullptr ? gather(rows, step->index(), 0) : slice_axis(rows, 0, 0, 1);
    values.set(spec.name, reshape(row, spec.shape));
  }
  return values;
}

Expr InnerLoopWriter::descended(Expr loss, int64_t ways) const {
  const bool sums = config_.inner.loss_reduction == config::LossReduction::sum_over_ways;
  return sums ? loss * static_cast<double>(ways) : loss;
}

// What a plain gradient step descends: its gradient has the weight decay in it.
Expr InnerLoopWriter::inner_objective(const Values& theta, const Values& state, Expr loss,
                                      int64_t ways) const {
  Expr objective = descended(loss, ways);
  for (const nn::ParameterSpec& spec : adapted_) {
    const Expr decay = weight_decay(theta, state.at(spec.name));
    if (decay.valid()) objective = objective + decay * sum(square(state.at(spec.name))) * 0.5;
  }
  return objective;
}

Expr InnerLoopWriter::rate_of(const std::string& parameter, const Values& theta, const Step& step,
                              DType dtype) const {
  switch (options_.rate) {
    case RateKind::scalar:
      return theta.at("inner/rate");
    case RateKind::per_element:
      return theta.at("inner/rate/" + parameter);
    case RateKind::per_tensor_and_step:
      return reshape(gather(theta.at("inner/rate/" + parameter), step.index(), 0), {});
    case RateKind::fixed:
      break;
  }
  Builder& builder = theta.at(parameter).builder();
  return constant(builder, config_.inner.rate, {dtype, {}});
}

Expr InnerLoopWriter::weight_decay(const Values& theta, Expr weight) const {
  if (options_.learn_weight_decay) return theta.at("inner/weight_decay");
  if (config_.inner.weight_decay == 0) return {};
  return constant(weight.builder(), config_.inner.weight_decay, {weight.dtype(), {}});
}

Expr InnerLoopWriter::direction(const std::string& parameter, Expr gradient, Expr weight,
                                const Values& theta, const Step& step) const {
  Expr total = gradient.valid() && step.mode().detached ? stop_gradient(gradient) : gradient;
  const Expr decay = weight_decay(theta, weight);
  if (decay.valid()) total = plus(total, decay * weight);
  if (options_.pull > 0) total = plus(total, (weight - theta.at(parameter)) * options_.pull);
  return total;
}

void InnerLoopWriter::update(const std::string& parameter, Expr gradient, const Values& theta,
                             const Step& step, Values& state) const {
  const Expr weight = state.at(parameter);
  const Expr total = direction(parameter, gradient, weight, theta, step);
  if (!total.valid()) return;  // the loss does not depend on it
  const auto slot_names = optim::inner_state_names(config_.inner.optimizer);
  std::vector<Expr> slots;
  for (const auto slot : slot_names)
    slots.push_back(state.find(fmt::format("{}/{}", slot, parameter)));
  Expr correction1;
  Expr correction2;
  if (config_.inner.optimizer == config::InnerOptimizer::adam) {
    const auto correction = [&](const char* name, double beta) {
      return step.scheduled(name, [beta](int64_t k) { return optim::bias_correction(beta, k); });
    };
    correction1 = correction("correction1", config_.inner.beta1);
    correction2 = carries_variance() ? 1 / (1 - state.at(kVarianceLeft))
                                     : correction("correction2", config_.inner.beta2);
  }
  const Expr rate = rate_of(parameter, theta, step, weight.dtype());
  const optim::InnerUpdate result =
      optim::inner_update(config_.inner, weight, total, slots, rate, correction1, correction2);
  state.set(parameter, result.weight);
  for (size_t i = 0; i < slots.size(); ++i) {
    state.set(fmt::format("{}/{}", slot_names[i], parameter), result.state[i]);
  }
}

StepResult InnerLoopWriter::step(const Values& theta, const Values& state, const Step& step) const {
  const int64_t ways = step.task().shape.outputs;
  const Expr loss = batch_loss(model_, network(theta, state, &step), step);
  std::vector<Expr> points;
  for (const nn::ParameterSpec& spec : adapted_) points.push_back(state.at(spec.name));
  const std::vector<Expr> gradients = grad(loss.builder(), descended(loss, ways), points);
  StepResult result{state, loss, inner_objective(theta, state, loss, ways)};
  if (carries_variance()) {
    result.state.set(kVarianceLeft, state.at(kVarianceLeft) * config_.inner.beta2);
  }
  for (size_t i = 0; i < adapted_.size(); ++i) {
    update(adapted_[i].name, gradients[i], theta, step, result.state);
  }
  if (options_.multi_step_loss && step.mode().training) {
    const Shape weights{config_.inner.steps};
    const Expr weight =
        reshape(gather(step.hyper("multi_step_weights", weights), step.index(), 0), {});
    const Query query{step.task(), &step, step.dropout_key()};
    const Expr answer = predict(theta, result.state, query);
    const Expr term =
        weight * loss_of(answer, step.task().query_y, step.task().shape.classification);
    result.state.set(kOuterLoss, plus(state.find(kOuterLoss), term));
  }
  return result;
}

Expr InnerLoopWriter::predict(const Values& theta, const Values& state, const Query& query) const {
  nn::DropoutSource dropout;
  if (query.last != nullptr) dropout = dropout_of(model_, *query.last, true);
  return answer_queries(model_, network(theta, state, query.last), query,
                        config_.learner.transductive, dropout.key.valid() ? &dropout : nullptr);
}

Objective InnerLoopWriter::objective(const Values& theta, const Values& state,
                                     const Query& query) const {
  return {state.at(kOuterLoss), predict(theta, state, query)};
}

Rule rule_of(const config::Learner& config) {
  if (config.order == config::Order::first) return {.kind = RuleKind::first_order, .implicit = {}};
  return {.truncation = config.truncation, .implicit = {}};
}

}  // namespace

std::function<bool(const nn::ParameterSpec&)> adapts_by_config(const config::Inner& config) {
  return [adapt_norm = config.adapt_norm](const nn::ParameterSpec& spec) {
    return adapt_norm || spec.role != nn::ParameterRole::norm;
  };
}

nn::ParameterSpec setting(const std::string& name, const Shape& shape, double value) {
  return {name, shape, {.value = value}, nn::ParameterRole::setting, false};
}

nn::DropoutSource dropout_of(const nn::Model& model, const Step& step, bool query) {
  const int64_t pass = 2 * step.number() + (query ? 1 : 0);
  return {step.dropout_key(), pass * model.dropout_layers};
}

Expr batch_loss(const nn::Model& model, const Values& parameters, const Step& step) {
  nn::DropoutSource dropout = dropout_of(model, step, false);
  const Expr answers =
      model.forward(parameters, step.batch_x(), dropout.key.valid() ? &dropout : nullptr);
  const TaskShape& shape = step.task().shape;
  return loss_of(slice_axis(answers, 1, 0, shape.outputs), step.batch_y(), shape.classification);
}

Expr answer_queries(const nn::Model& model, const Values& parameters, const Query& query,
                    bool transductive, nn::DropoutSource* dropout) {
  const Task& task = query.task;
  const auto answer = [&](Expr rows) { return model.forward(parameters, rows, dropout); };
  const auto used = [&](Expr answers) { return slice_axis(answers, 1, 0, task.shape.outputs); };
  if (transductive || !model.couples_examples) return used(answer(task.query_x));
  return used(beside_support(task, answer));
}

Learner make_gradient_learner(const config::Config& config, const TaskShape& shape,
                              const InnerLoop& inner_loop) {
  const auto writer = std::make_shared<const InnerLoopWriter>(config, shape, inner_loop);
  Learner learner;
  learner.algorithm = config.learner.algorithm;
  learner.parameters = writer->parameters();
  learner.rule = rule_of(config.learner);
  learner.steps = config.inner.steps;
  learner.segment = config.inner.segment;
  const bool by_step = inner_loop.per_step_norm || inner_loop.rate == RateKind::per_tensor_and_step;
  learner.most_steps = by_step ? config.inner.steps : -1;
  learner.head_outputs = shape.outputs;
  learner.learned_steps = inner_loop.rate != RateKind::fixed || inner_loop.learn_weight_decay ||
                          inner_loop.multi_step_loss;
  const bool one_by_one = writer->model().couples_examples && !config.learner.transductive;
  const int64_t query_passes = one_by_one ? shape.query_rows : 1;
  // As dropout_of() numbers them: the queries come after the last step.
  learner.dropout_streams =
      writer->model().dropout_layers * (2 * config.inner.steps - 1 + query_passes);
  learner.init = [writer](const Values& theta) { return writer->init(theta); };
  learner.step = [writer](const Values& theta, const Values& state, const Step& step) {
    return writer->step(theta, state, step);
  };
  learner.predict = [writer](const Values& theta, const Values& state, const Query& query) {
    return writer->predict(theta, state, query);
  };
  if (inner_loop.multi_step_loss) {
    learner.objective = [writer](const Values& theta, const Values& state, const Query& query) {
      return writer->objective(theta, state, query);
    };
  }
  return learner;
}

}  // namespace outerloop::meta
