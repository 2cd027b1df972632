// MAML++: Antoniou et al., "How to train your MAML", 2019, and the authors' code. A learned rate
// per parameter tensor and step, normalisation parameters per step (they do not adapt), and an
// outer loss that weighs the query losses after all steps, annealed towards the last one.

#include <algorithm>

#include "meta/gradient_learner.h"
#include "meta/registry.h"

namespace outerloop::meta {

Learner make_mamlpp(const config::Config& config, const TaskShape& shape) {
  const bool per_step_norm = config.learner.per_step_norm;
  const auto may_adapt = adapts_by_config(config.inner);
  const auto adapts = [=](const nn::ParameterSpec& spec) {
    return may_adapt(spec) && !(per_step_norm && spec.role == nn::ParameterRole::norm);
  };
  return make_gradient_learner(
      config, shape,
      {.adapts = adapts,
       .rate = config.learner.per_step_rate ? RateKind::per_tensor_and_step : RateKind::fixed,
       .per_step_norm = per_step_norm,
       .multi_step_loss = config.learner.multi_step_loss_epochs > 0});
}

std::vector<double> multi_step_weights(int64_t epoch, int64_t epochs, int64_t steps) {
  const auto s = static_cast<double>(steps);
  std::vector<double> weights(static_cast<size_t>(steps), 0.0);
  weights.back() = 1;
  if (epoch >= epochs) return weights;
  const double shift = static_cast<double>(epoch) / (s * static_cast<double>(epochs));
  std::ranges::fill(weights, std::max(1 / s - shift, 0.03 / s));
  weights.back() = std::min(1 / s + shift * (s - 1), 1 - (s - 1) * 0.03 / s);
  return weights;
}

}  // namespace outerloop::meta
