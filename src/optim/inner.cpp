#include "outerloop/optim/inner.h"

#include <cmath>

#include "outerloop/ops/ops.h"

namespace outerloop::optim {

namespace {

// before * keep + add; a `before` that is still zero is left out.
Expr blend(Expr before, double keep, Expr add) {
  return before.valid() ? before * keep + add : add;
}

InnerUpdate adam(const config::Inner& config, Expr weight, Expr gradient,
                 std::span<const Expr> state, Expr rate, Expr correction1, Expr correction2) {
  const Expr mean = blend(state[0], config.beta1, gradient * (1 - config.beta1));
  const Expr variance = blend(state[1], config.beta2, square(gradient) * (1 - config.beta2));
  const Expr root = sqrt(variance * correction2);
  return {weight - rate * (mean * correction1) / (root + config.epsilon), {mean, variance}};
}

}  // namespace

std::vector<std::string_view> inner_state_names(config::InnerOptimizer optimizer) {
  switch (optimizer) {
    case config::InnerOptimizer::momentum:
      return {"momentum"};
    case config::InnerOptimizer::adam:
      return {"mean", "variance"};
    case config::InnerOptimizer::sgd:
      break;
  }
  return {};
}

double bias_correction(double beta, int64_t step) {
  return 1 / (1 - std::pow(beta, static_cast<double>(step + 1)));
}

InnerUpdate inner_update(const config::Inner& config, Expr weight, Expr gradient,
                         std::span<const Expr> state, Expr rate, Expr correction1,
                         Expr correction2) {
  switch (config.optimizer) {
    case config::InnerOptimizer::adam:
      return adam(config, weight, gradient, state, rate, correction1, correction2);
    case config::InnerOptimizer::momentum: {
      const Expr momentum = blend(state[0], config.momentum, gradient);
      return {weight - rate * momentum, {momentum}};
    }
    case config::InnerOptimizer::sgd:
      break;
  }
  return {weight - rate * gradient, {}};
}

}  // namespace outerloop::optim
