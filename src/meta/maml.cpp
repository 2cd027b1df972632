// Finn et al., "Model-Agnostic Meta-Learning for Fast Adaptation of Deep Networks", 2017. With
// learner.learn_rate and learn_weight_decay the inner loop's rate and weight decay are learned
// too, by their hypergradients.

#include "meta/gradient_learner.h"
#include "meta/registry.h"

namespace outerloop::meta {

Learner make_maml(const config::Config& config, const TaskShape& shape) {
  return make_gradient_learner(
      config, shape,
      {.adapts = adapts_by_config(config.inner),
       .rate = config.learner.learn_rate ? RateKind::scalar : RateKind::fixed,
       .learn_weight_decay = config.learner.learn_weight_decay});
}

}  // namespace outerloop::meta
