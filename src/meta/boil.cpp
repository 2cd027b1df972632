// Oh et al., "BOIL: Towards Representation Change for Few-shot Learning", 2021: the inner loop
// changes all but the last layer.

#include "meta/gradient_learner.h"
#include "meta/registry.h"

namespace outerloop::meta {

Learner make_boil(const config::Config& config, const TaskShape& shape) {
  const auto may_adapt = adapts_by_config(config.inner);
  return make_gradient_learner(
      config, shape,
      {.adapts = [may_adapt](const auto& spec) { return !spec.head && may_adapt(spec); },
       .rate = config.learner.learn_rate ? RateKind::scalar : RateKind::fixed,
       .learn_weight_decay = config.learner.learn_weight_decay});
}

}  // namespace outerloop::meta
