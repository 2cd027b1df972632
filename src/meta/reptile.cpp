// Nichol et al., "On First-Order Meta-Learning Algorithms", 2018: theta moves towards the adapted
// weights. All parameters adapt, those of normalisation too. The authors' code carries the inner
// Adam's second moments from task to task; here they start at zero for each task, so that a task's
// result depends on that task alone.

#include "meta/gradient_learner.h"
#include "meta/registry.h"

namespace outerloop::meta {

Learner make_reptile(const config::Config& config, const TaskShape& shape) {
  Learner learner = make_gradient_learner(
      config, shape, {.adapts = [](const nn::ParameterSpec& /*spec*/) { return true; }});
  learner.rule = {.kind = RuleKind::reptile};
  return learner;
}

}  // namespace outerloop::meta
