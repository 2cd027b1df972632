// First-order MAML: Finn et al. 2017, section 5.2. Inner gradients are constants.

#include "meta/registry.h"

namespace outerloop::meta {

Learner make_fomaml(const config::Config& config, const TaskShape& shape) {
  config::Config first_order = config;
  first_order.learner.order = config::Order::first;
  return make_maml(first_order, shape);
}

}  // namespace outerloop::meta
