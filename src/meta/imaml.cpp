// Rajeswaran et al., "Meta-Learning with Implicit Gradients", 2019: the inner loop minimises
// L_S(phi) + lambda / 2 |phi - theta|^2; the meta-gradient comes from the optimality condition.

#include "meta/gradient_learner.h"
#include "meta/registry.h"

namespace outerloop::meta {

Learner make_imaml(const config::Config& config, const TaskShape& shape) {
  const config::Implicit& implicit = config.learner.implicit;
  Learner learner = make_gradient_learner(
      config, shape, {.adapts = adapts_by_config(config.inner), .pull = implicit.lambda});
  learner.rule = {.kind = RuleKind::implicit, .implicit = implicit};
  learner.measures = {
      {"negative_curvature", 0,
       "I + H / lambda was not positive definite for this share of the tasks, so that their "
       "meta-gradients are wrong: raise learner.implicit.lambda"},
      {"solver_residual", 0.5,
       "the linear system was not solved (its relative residual, 0 = solved): raise "
       "learner.implicit.iterations or learner.implicit.lambda"}};
  return learner;
}

}  // namespace outerloop::meta
