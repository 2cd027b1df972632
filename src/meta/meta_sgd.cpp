// Li et al., "Meta-SGD: Learning to Learn Quickly for Few-Shot Learning", 2017: a learned rate for
// each element of each parameter, all starting at inner.rate.

#include "meta/gradient_learner.h"
#include "meta/registry.h"

namespace outerloop::meta {

Learner make_meta_sgd(const config::Config& config, const TaskShape& shape) {
  return make_gradient_learner(
      config, shape, {.adapts = adapts_by_config(config.inner), .rate = RateKind::per_element});
}

}  // namespace outerloop::meta
