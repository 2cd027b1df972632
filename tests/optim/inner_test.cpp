// Inner optimisers: values by hand, and derivatives through their state.

#include "outerloop/optim/inner.h"

#include <gtest/gtest.h>

#include <cmath>

#include "outerloop/autodiff/autodiff.h"
#include "outerloop/exec/oracle.h"
#include "outerloop/ops/ops.h"

namespace outerloop::optim {
namespace {

constexpr int kSteps = 3;

// Three steps down the loss x^4 / 4 from each of the start values.
Expr descend(const config::Inner& config, Expr start) {
  Expr weight = start;
  std::vector<Expr> state(inner_state_names(config.optimizer).size());
  Builder& builder = start.builder();
  const auto scalar = [&](double value) { return constant(builder, value, {DType::f64, {}}); };
  for (int k = 0; k < kSteps; ++k) {
    const Expr gradient = pow(weight, 3);
    const InnerUpdate update = inner_update(config, weight, gradient, state, scalar(config.rate),
                                            scalar(bias_correction(config.beta1, k)),
                                            scalar(bias_correction(config.beta2, k)));
    weight = update.weight;
    state = update.state;
  }
  return weight;
}

double by_hand(const config::Inner& c, double x) {
  double m = 0;
  double v = 0;
  for (int t = 1; t <= kSteps; ++t) {
    const double g = x * x * x;
    switch (c.optimizer) {
      case config::InnerOptimizer::sgd:
        x -= c.rate * g;
        break;
      case config::InnerOptimizer::momentum:
        m = c.momentum * m + g;
        x -= c.rate * m;
        break;
      case config::InnerOptimizer::adam:
        m = c.beta1 * m + (1 - c.beta1) * g;
        v = c.beta2 * v + (1 - c.beta2) * g * g;
        x -= c.rate * (m / (1 - std::pow(c.beta1, t))) /
             (std::sqrt(v / (1 - std::pow(c.beta2, t))) + c.epsilon);
        break;
    }
  }
  return x;
}

class InnerOptimizers : public testing::TestWithParam<config::InnerOptimizer> {};

TEST_P(InnerOptimizers, AgreeWithTheFormulaAndItsSlope) {
  config::Inner config;
  config.optimizer = GetParam();
  config.rate = 0.1;
  config.epsilon = 1e-3;
  Builder builder;
  const Expr start = builder.input("start", {DType::f64, {3}}, Binding::per_lane);
  const Expr end = descend(config, start);
  builder.output("end", end);
  builder.output("slope", grad(builder, sum(end), std::vector<Expr>{start})[0]);
  const std::vector<double> at = {0.5, -1.2, 0.9};
  const std::vector<Tensor> inputs = {Tensor::from<double>({3}, at)};
  const std::vector<Tensor> results = exec::interpret(builder.finish(), inputs);
  for (size_t i = 0; i < at.size(); ++i) {
    EXPECT_NEAR(results[0].to_doubles()[i], by_hand(config, at[i]), 1e-14);
    const double h = 1e-5;
    const double slope = (by_hand(config, at[i] + h) - by_hand(config, at[i] - h)) / (2 * h);
    EXPECT_NEAR(results[1].to_doubles()[i], slope, 1e-7);
  }
}

INSTANTIATE_TEST_SUITE_P(All, InnerOptimizers,
                         testing::Values(config::InnerOptimizer::sgd,
                                         config::InnerOptimizer::momentum,
                                         config::InnerOptimizer::adam));

TEST(InnerAdam, HasNoSlopeWhereTheGradientIsAlwaysZero) {
  config::Inner config;
  config.optimizer = config::InnerOptimizer::adam;
  Builder builder;
  const Expr start = builder.input("start", {DType::f64, {1}}, Binding::per_lane);
  const Expr end = descend(config, start);
  builder.output("slope", grad(builder, sum(end), std::vector<Expr>{start})[0]);
  const std::vector<Tensor> inputs = {Tensor::from<double>({1}, {0.0})};
  EXPECT_EQ(exec::interpret(builder.finish(), inputs)[0].to_doubles()[0], 1);
}

}  // namespace
}  // namespace outerloop::optim
