// Nichol et al., "On First-Order Meta-Learning Algorithms", 2018: theta moves towards the adapted
// weights. All parameters adapt, those of normalisation too.
//
// In the authors' code the inner Adam goes through task after task with one set of variances (its
// mean is the last gradient: beta1 = 0). Tasks that are adapted side by side start from the same
// ones, which are meta-parameters here and move towards those at the tasks' ends as theta does.
// With variances that start at zero for each task the first steps would be as long in every weight,
// and Omniglot 5-way 1-shot ended at 83 % (published: 97.7 %).

#include "meta/gradient_learner.h"
#include "meta/registry.h"

namespace outerloop::meta {

Learner make_reptile(const config::Config& config, const TaskShape& shape) {
  Learner learner = make_gradient_learner(
      config, shape,
      {.adapts = [](const nn::ParameterSpec& /*spec*/) { return true; }, .carries_variance = true});
  learner.rule = {.kind = RuleKind::reptile};
  return learner;
}

}  // namespace outerloop::meta
