// Outer optimisers against scalar loops in double.

#include "outerloop/optim/outer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "outerloop/exec/oracle.h"

namespace outerloop::optim {
namespace {

using Vector = std::vector<double>;

constexpr int64_t kElements = 48;

Tensor vector_of(const Vector& values) {
  return Tensor::from<double>({kElements}, values);
}

Vector drawn(double seed) {
  Vector values(kElements);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = std::sin(seed + 2.7 * static_cast<double>(i));
  }
  return values;
}

Vector mask() {
  Vector values(kElements, 1.0);
  std::fill(values.begin() + 16, values.end(), 0.0);
  return values;
}

// The optimiser's own states and theta, moved by its program.
class Optimizer {
 public:
  Optimizer(const config::Outer& config, const Vector& theta)
      : config_(config), plan_(make_outer_plan(config, kElements, DType::f64)) {
    values_["theta"] = vector_of(theta);
    for (const std::string& name : plan_.state) {
      values_["state/" + name] = vector_of(name == "ema" ? theta : Vector(kElements, 0.0));
    }
  }

  void update(int64_t iteration, const Vector& gradient) {
    const OuterScalars scalars = outer_scalars(config_, iteration, iteration);
    values_["gradient"] = vector_of(gradient);
    values_["decay_mask"] = vector_of(mask());
    values_["rate"] = Tensor::scalar(scalars.rate);
    values_["correction1"] = Tensor::scalar(scalars.correction1);
    values_["correction2"] = Tensor::scalar(scalars.correction2);
    std::vector<Tensor> inputs;
    for (const ProgramInput& input : plan_.update->inputs) inputs.push_back(values_.at(input.name));
    const std::vector<Tensor> results = exec::interpret(*plan_.update, inputs);
    for (size_t i = 0; i < results.size(); ++i) {
      values_[plan_.update->outputs[i].name] = results[i];
    }
  }

  Vector value(const std::string& name) const { return values_.at(name).to_doubles(); }

 private:
  config::Outer config_;
  OuterPlan plan_;
  std::map<std::string, Tensor> values_;
};

void expect_close(const Vector& got, const Vector& expected) {
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-14) << i;
}

// Adam and AdamW as their papers write them.
Vector adam_by_hand(const config::Outer& config, Vector theta, int updates) {
  Vector m(kElements, 0.0);
  Vector v(kElements, 0.0);
  const Vector decays = mask();
  for (int t = 1; t <= updates; ++t) {
    const Vector gradient = drawn(t);
    for (size_t i = 0; i < theta.size(); ++i) {
      const double decay = config.weight_decay * decays[i] * theta[i];
      const bool decoupled = config.optimizer == config::OuterOptimizer::adamw;
      const double g = gradient[i] + (decoupled ? 0 : decay);
      m[i] = config.beta1 * m[i] + (1 - config.beta1) * g;
      v[i] = config.beta2 * v[i] + (1 - config.beta2) * g * g;
      const double m_hat = m[i] / (1 - std::pow(config.beta1, t));
      const double v_hat = v[i] / (1 - std::pow(config.beta2, t));
      theta[i] -=
          config.rate * (m_hat / (std::sqrt(v_hat) + config.epsilon) + (decoupled ? decay : 0));
    }
  }
  return theta;
}

TEST(OuterOptimizer, AdamFollowsItsPaper) {
  for (const auto kind : {config::OuterOptimizer::adam, config::OuterOptimizer::adamw}) {
    config::Outer config;
    config.optimizer = kind;
    config.rate = 0.05;
    config.weight_decay = 0.3;
    Optimizer run(config, drawn(0));
    for (int t = 1; t <= 4; ++t) run.update(t - 1, drawn(t));
    expect_close(run.value("theta"), adam_by_hand(config, drawn(0), 4));
  }
}

TEST(OuterOptimizer, SgdGathersMomentumOfTheDecayedGradient) {
  config::Outer config;
  config.optimizer = config::OuterOptimizer::sgd;
  config.rate = 0.1;
  config.momentum = 0.9;
  config.weight_decay = 0.2;
  Optimizer run(config, drawn(0));
  Vector theta = drawn(0);
  Vector m(kElements, 0.0);
  for (int t = 1; t <= 3; ++t) {
    run.update(t - 1, drawn(t));
    for (size_t i = 0; i < theta.size(); ++i) {
      m[i] = 0.9 * m[i] + (drawn(t)[i] + 0.2 * mask()[i] * theta[i]);
      theta[i] -= 0.1 * m[i];
    }
  }
  expect_close(run.value("theta"), theta);
}

TEST(OuterOptimizer, PlainSgdHasNoState) {
  config::Outer config;
  config.optimizer = config::OuterOptimizer::sgd;
  EXPECT_TRUE(make_outer_plan(config, kElements).state.empty());
}

TEST(OuterOptimizer, ClipsEachElementThenTheNorm) {
  config::Outer config;
  config.optimizer = config::OuterOptimizer::sgd;
  config.rate = 1;
  config.clip_value = 0.5;
  config.clip_norm = 2;
  Optimizer run(config, Vector(kElements, 0.0));
  run.update(0, drawn(1));
  Vector expected = drawn(1);
  double square = 0;
  for (double& g : expected) {
    g = std::clamp(g, -0.5, 0.5);
    square += g * g;
  }
  ASSERT_GT(square, 4);
  for (double& g : expected) g *= -2 / std::sqrt(square);
  expect_close(run.value("theta"), expected);
  Optimizer small(config, Vector(kElements, 0.0));
  small.update(0, Vector(kElements, 0.01));
  expect_close(small.value("theta"), Vector(kElements, -0.01));
  // Elements whose squares are too large for a number.
  config.clip_value = {};
  Vector huge = drawn(1);
  Vector direction = huge;
  square = 0;
  for (size_t i = 0; i < huge.size(); ++i) {
    huge[i] *= 1e200;
    square += direction[i] * direction[i];
  }
  for (double& g : direction) g *= -2 / std::sqrt(square);
  Optimizer far(config, Vector(kElements, 0.0));
  far.update(0, huge);
  expect_close(far.value("theta"), direction);
}

TEST(OuterOptimizer, AveragesThetaExponentially) {
  config::Outer config;
  config.optimizer = config::OuterOptimizer::sgd;
  config.rate = 1;
  config.ema = 0.75;
  Optimizer run(config, Vector(kElements, 4.0));
  run.update(0, Vector(kElements, 4.0));
  EXPECT_EQ(run.value("theta")[0], 0);
  EXPECT_EQ(run.value("state/ema")[0], 3);
}

TEST(OuterOptimizer, LeavesPaddingAtZero) {
  for (const auto kind :
       {config::OuterOptimizer::sgd, config::OuterOptimizer::adam, config::OuterOptimizer::adamw}) {
    config::Outer config;
    config.optimizer = kind;
    config.momentum = 0.9;
    config.weight_decay = 0.1;
    config.clip_norm = 1;
    config.ema = 0.9;
    Vector theta = drawn(0);
    Vector gradient = drawn(1);
    theta[20] = gradient[20] = 0;
    Optimizer run(config, theta);
    for (int t = 0; t < 3; ++t) run.update(t, gradient);
    EXPECT_EQ(run.value("theta")[20], 0);
    EXPECT_EQ(run.value("state/ema")[20], 0);
    EXPECT_NE(run.value("theta")[21], theta[21]);
  }
}

TEST(OuterOptimizer, UpdatesPiecesAsTheWhole) {
  config::Outer config;
  const auto step = [&](int64_t elements) { return make_outer_plan(config, elements, DType::f32); };
  Tensor whole(DType::f32, {32});
  std::iota(whole.as<float>().begin(), whole.as<float>().end(), 1.0f);
  const auto run = [&](const OuterPlan& plan, const Tensor& part) {
    const Tensor zero(DType::f32, part.shape());
    std::map<std::string, Tensor> values = {{"theta", part},
                                            {"gradient", part},
                                            {"state/mean", zero},
                                            {"state/variance", zero},
                                            {"rate", Tensor::scalar(0.1f)},
                                            {"correction1", Tensor::scalar(10.0f)},
                                            {"correction2", Tensor::scalar(1000.0f)}};
    std::vector<Tensor> inputs;
    for (const ProgramInput& input : plan.update->inputs) inputs.push_back(values.at(input.name));
    return exec::interpret(*plan.update,
                           inputs)[static_cast<size_t>(plan.update->output_index("theta"))]
        .to_doubles();
  };
  const Vector together = run(step(32), whole);
  Vector apart = run(step(16), Tensor::from<float>({16}, whole.as<float>().first(16)));
  const Vector rest = run(step(16), Tensor::from<float>({16}, whole.as<float>().last(16)));
  apart.insert(apart.end(), rest.begin(), rest.end());
  EXPECT_EQ(apart, together);
}

}  // namespace
}  // namespace outerloop::optim
