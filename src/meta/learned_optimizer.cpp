// A learned optimiser in the manner of Metz et al., "Practical tradeoffs between memory, compute,
// and performance in learned optimizers", 2022: a small network reads, for each weight, its
// gradient, itself and running means of its gradients, each divided by the root mean square over
// the tensor, and answers with a direction d and a magnitude m: w - 0.001 d exp(0.001 m).
// It and the initialisation are learned through the inner loop.

#include <fmt/format.h>

#include <array>

#include "meta/gradient_learner.h"
#include "meta/registry.h"
#include "meta/segment.h"
#include "outerloop/autodiff/autodiff.h"
#include "outerloop/ops/ops.h"

namespace outerloop::meta {

namespace {

constexpr std::array<double, 3> kDecays = {0.9, 0.99, 0.999};
constexpr double kStepScale = 0.001;
constexpr int64_t kFeatures = 2 + kDecays.size();
constexpr int64_t kAnswers = 2;  // direction, magnitude

std::string mean_name(size_t i, const std::string& parameter) {
  return fmt::format("mean{}/{}", i, parameter);
}

nn::ParameterSpecs optimizer_parameters(int64_t hidden) {
  const auto weight = [](const char* name, int64_t in, int64_t out) {
    const nn::InitialValue initial{.rule = config::Init::fan_in, .fan_in = in, .fan_out = out};
    return nn::ParameterSpec{name, {in, out}, initial, nn::ParameterRole::setting, false};
  };
  return {weight("optimizer/dense1/weight", kFeatures, hidden),
          setting("optimizer/dense1/bias", {hidden}, 0),
          weight("optimizer/head/weight", hidden, kAnswers),
          setting("optimizer/head/bias", {kAnswers}, 0)};
}

// (elements, 1): x divided by its root mean square.
Expr feature(Expr x) {
  const Expr column = reshape(x, {x.shape().elements(), 1});
  return column / sqrt(mean(square(column)) + 1e-12);
}

// The new weight; `means` are the running means of its gradients.
Expr updated(Expr weight, Expr gradient, std::span<const Expr> means, const Values& theta) {
  std::vector<Expr> features = {feature(gradient), feature(weight)};
  for (const Expr mean : means) features.push_back(feature(mean));
  const Expr hidden = tanh(matmul(concat(features, 1), theta.at("optimizer/dense1/weight")) +
                           theta.at("optimizer/dense1/bias"));
  const Expr answers =
      matmul(hidden, theta.at("optimizer/head/weight")) + theta.at("optimizer/head/bias");
  const Expr direction = slice_axis(answers, 1, 0, 1);
  const Expr magnitude = slice_axis(answers, 1, 1, 2);
  return weight - reshape(direction * exp(magnitude * kStepScale) * kStepScale, weight.shape());
}

StepResult take_step(const nn::Model& model, const Values& theta, const Values& state,
                     const Step& step) {
  std::vector<Expr> weights;
  Values network;
  for (const nn::ParameterSpec& spec : model.parameters) {
    network.set(spec.name, state.at(spec.name));
    weights.push_back(state.at(spec.name));
  }
  const Expr answers = model.forward(network, step.batch_x(), nullptr);
  const Expr loss = loss_of(answers, step.batch_y(), step.task().shape.classification);
  const std::vector<Expr> gradients = grad(loss.builder(), loss, weights);
  StepResult result{state, loss, loss};
  for (size_t p = 0; p < weights.size(); ++p) {
    const std::string& name = model.parameters[p].name;
    Expr gradient = or_zeros(gradients[p], weights[p]);
    if (step.mode().detached) gradient = stop_gradient(gradient);
    std::vector<Expr> means;
    for (size_t i = 0; i < kDecays.size(); ++i) {
      const Expr before = state.find(mean_name(i, name));
      const Expr decayed = before.valid() ? before * kDecays[i] : before;
      means.push_back(plus(decayed, gradient * (1 - kDecays[i])));
      result.state.set(mean_name(i, name), means.back());
    }
    result.state.set(name, updated(weights[p], gradient, means, theta));
  }
  return result;
}

}  // namespace

Learner make_learned_optimizer(const config::Config& config, const TaskShape& shape) {
  const nn::Model model = nn::make_model(config.model, shape.example, shape.outputs);
  Learner learner = make_gradient_learner(
      config, shape, {.adapts = [](const nn::ParameterSpec& /*spec*/) { return true; }});
  for (const auto& spec : optimizer_parameters(config.learner.optimizer_hidden)) {
    learner.parameters.push_back(spec);
  }
  learner.learned_steps = true;
  learner.has_dropout = false;
  learner.step = [model](const Values& theta, const Values& state, const Step& step) {
    return take_step(model, theta, state, step);
  };
  return learner;
}

}  // namespace outerloop::meta
