// Raghu et al., "Rapid Learning or Feature Reuse?", 2020: the inner loop changes the last layer
// only.

#include "meta/gradient_learner.h"
#include "meta/registry.h"

namespace outerloop::meta {

Learner make_anil(const config::Config& config, const TaskShape& shape) {
  return make_gradient_learner(
      config, shape,
      {.adapts = [](const nn::ParameterSpec& spec) { return spec.head; },
       .rate = config.learner.learn_rate ? RateKind::scalar : RateKind::fixed,
       .learn_weight_decay = config.learner.learn_weight_decay});
}

}  // namespace outerloop::meta
