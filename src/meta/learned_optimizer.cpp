#include "outerloop/meta/learned_optimizer.h"

#include <fmt/format.h>

#include "meta/gradient_learner.h"
#include "meta/registry.h"
#include "meta/segment.h"
#include "outerloop/autodiff/autodiff.h"
#include "outerloop/ops/ops.h"

namespace outerloop::meta {

namespace {

constexpr int64_t kAnswers = 2;  // direction, magnitude

std::string mean_name(size_t i, const std::string& parameter) {
  return fmt::format("mean{}/{}", i, parameter);
}

nn::ParameterSpecs optimizer_parameters(const LearnedOptimizer& options) {
  const int64_t features = 2 + static_cast<int64_t>(options.decays.size());
  const int64_t hidden = options.hidden;
  const auto weight = [](const char* name, int64_t in, int64_t out) {
    const nn::InitialValue initial{.rule = config::Init::fan_in, .fan_in = in, .fan_out = out};
    return nn::ParameterSpec{name, {in, out}, initial, nn::ParameterRole::setting, false};
  };
  return {weight("optimizer/dense1/weight", features, hidden),
          setting("optimizer/dense1/bias", {hidden}, 0),
          weight("optimizer/head/weight", hidden, kAnswers),
          setting("optimizer/head/bias", {kAnswers}, 0)};
}

// (elements, 1): x divided by its root mean square.
Expr feature(Expr x, double epsilon) {
  const Expr column = reshape(x, {x.shape().elements(), 1});
  return column / sqrt(mean(square(column)) + epsilon);
}

// The new weight; `means` are the running means of its gradients.
Expr updated(Expr weight, Expr gradient, std::span<const Expr> means, const Values& theta,
             const LearnedOptimizer& options) {
  std::vector<Expr> features = {feature(gradient, options.epsilon),
                                feature(weight, options.epsilon)};
  for (const Expr mean : means) features.push_back(feature(mean, options.epsilon));
  const Expr hidden = tanh(matmul(concat(features, 1), theta.at("optimizer/dense1/weight")) +
                           theta.at("optimizer/dense1/bias"));
  const Expr answers =
      matmul(hidden, theta.at("optimizer/head/weight")) + theta.at("optimizer/head/bias");
  const Expr direction = slice_axis(answers, 1, 0, 1);
  const Expr magnitude = slice_axis(answers, 1, 1, 2);
  const Expr step = direction * exp(magnitude * options.magnitude_scale) * options.step_scale;
  return weight - reshape(step, weight.shape());
}

StepResult take_step(const nn::Model& model, const LearnedOptimizer& options, const Values& theta,
                     const Values& state, const Step& step) {
  std::vector<Expr> weights;
  Values network;
  for (const nn::ParameterSpec& spec : model.parameters) {
    network.set(spec.name, state.at(spec.name));
    weights.push_back(state.at(spec.name));
  }
  const Expr loss = batch_loss(model, network, step);
  const std::vector<Expr> gradients = grad(loss.builder(), loss, weights);
  StepResult result{state, loss, loss};
  for (size_t p = 0; p < weights.size(); ++p) {
    const std::string& name = model.parameters[p].name;
    Expr gradient = or_zeros(gradients[p], weights[p]);
    if (step.mode().detached) gradient = stop_gradient(gradient);
    std::vector<Expr> means;
    for (size_t i = 0; i < options.decays.size(); ++i) {
      const Expr before = state.find(mean_name(i, name));
      const Expr decayed = before.valid() ? before * options.decays[i] : before;
      means.push_back(plus(decayed, gradient * (1 - options.decays[i])));
      result.state.set(mean_name(i, name), means.back());
    }
    result.state.set(name, updated(weights[p], gradient, means, theta, options));
  }
  return result;
}

}  // namespace

Learner make_learned_optimizer_learner(const config::Config& config, const TaskShape& shape,
                                       const LearnedOptimizer& options) {
  const nn::Model model = nn::make_model(config.model, shape.example, shape.outputs);
  Learner learner = make_gradient_learner(
      config, shape, {.adapts = [](const nn::ParameterSpec& /*spec*/) { return true; }});
  for (const auto& spec : optimizer_parameters(options)) {
    learner.parameters.push_back(spec);
  }
  learner.learned_steps = true;
  learner.step = [model, options](const Values& theta, const Values& state, const Step& step) {
    return take_step(model, options, theta, state, step);
  };
  return learner;
}

Learner make_learned_optimizer(const config::Config& config, const TaskShape& shape) {
  return make_learned_optimizer_learner(config, shape, {.hidden = config.learner.optimizer_hidden});
}

}  // namespace outerloop::meta
