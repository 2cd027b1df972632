// The rules that are not the derivative of the training loss, each against its definition, with the
// adapted weights taken from an evaluation.

#include <gtest/gtest.h>

#include <cmath>

#include "meta/cases.h"

namespace outerloop::meta::testing {
namespace {

// Weights, and what Reptile carries from task to task.
bool goes_on(const std::string& state) {
  return state.starts_with("net/") || state.starts_with("variance");
}

// A case, its inputs, and what gradient and evaluation plans give for it.
class Rules : public ::testing::Test {
 protected:
  void use(const std::string& name) {
    test_ = case_called(name);
    inputs_ = inputs_of(test_, learner_of(test_), DType::f64);
  }

  NamedTensors gradient(const Case& test, const NamedTensors& inputs) {
    return run_gradient(make_gradient_plan(learner_of(test), test.shape, DType::f64), inputs,
                        runner_);
  }

  // The weights after 0 … steps inner steps, and variances that go on, as theta/….
  std::vector<NamedTensors> adapted(int64_t steps) {
    const auto plan = make_evaluation_plan(learner_of(test_), test_.shape, steps, DType::f64);
    std::vector<NamedTensors> weights(1);
    for (const auto& [name, value] : inputs_) {
      if (goes_on(name.substr(name.find('/') + 1))) weights[0][name] = value;
    }
    for (const NamedTensors& call : run_evaluation(plan, inputs_, runner_)) {
      NamedTensors next;
      for (const auto& [name, value] : call) {
        if (!name.starts_with("state/") || !inputs_.contains("theta/" + name.substr(6))) continue;
        if (goes_on(name.substr(6))) next["theta/" + name.substr(6)] = value;
      }
      if (!next.empty()) weights.push_back(next);
    }
    return weights;
  }

  NamedTensors inputs_with(const NamedTensors& weights) const {
    NamedTensors inputs = inputs_;
    for (const auto& [name, value] : weights) inputs[name] = value;
    return inputs;
  }

  // The query loss at these weights.
  double loss_at(const NamedTensors& weights) {
    const auto plan = make_evaluation_plan(learner_of(test_), test_.shape, 0, DType::f64);
    return run_evaluation(plan, inputs_with(weights), runner_)[0].at("loss").to_doubles()[0];
  }

  // d loss / d length where the weights move by length x direction; by central differences.
  double slope(const NamedTensors& weights, const NamedTensors& direction) {
    const auto at = [&](double length) {
      NamedTensors moved = weights;
      for (const auto& [name, way] : direction) {
        moved[name] = weights.at(name).clone();
        for (size_t i = 0; i < way.to_doubles().size(); ++i) {
          moved[name].as<double>()[i] += length * way.to_doubles()[i];
        }
      }
      return loss_at(moved);
    };
    const double h = 1e-5;
    return (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
  }

  Case test_;
  NamedTensors inputs_;
  ProgramRunner runner_{reference::oracle()};
};

Tensor ones_like(const Tensor& tensor) {
  Tensor ones(DType::f64, tensor.shape());
  for (double& value : ones.as<double>()) value = 1;
  return ones;
}

double sum(const Tensor& tensor) {
  double total = 0;
  for (const double value : tensor.to_doubles()) total += value;
  return total;
}

TEST_F(Rules, FirstOrderIsTheSlopeAtTheAdaptedWeights) {
  use("fomaml");
  const auto results = gradient(test_, inputs_);
  const NamedTensors end = adapted(test_.config.inner.steps).back();
  ASSERT_EQ(end.size(), 6u);
  for (const auto& [name, value] : end) {
    const double expected = slope(end, {{name, ones_like(value)}});
    EXPECT_NEAR(sum(results.at("grad/" + name.substr(6))), expected, 1e-8) << name;
  }
}

// The rates' gradient is -sum of the inner gradients times the slope at the adapted weights.
TEST_F(Rules, FirstOrderRatesTakeTheInnerGradientsAsConstants) {
  use("meta_sgd_first_order");
  const auto results = gradient(test_, inputs_);
  const std::vector<NamedTensors> path = adapted(test_.config.inner.steps);
  for (const auto& [name, end] : path.back()) {
    const std::string parameter = name.substr(6);
    const auto rate = inputs_.at("theta/inner/rate/" + parameter).to_doubles();
    const auto first = path.front().at(name).to_doubles();
    // phi_K = phi_0 - rate x (sum of gradients)
    Tensor way(DType::f64, end.shape());
    for (size_t i = 0; i < rate.size(); ++i) {
      way.as<double>()[i] = (end.to_doubles()[i] - first[i]) / rate[i];
    }
    EXPECT_NEAR(sum(results.at("grad/inner/rate/" + parameter)), slope(path.back(), {{name, way}}),
                1e-8)
        << name;
    EXPECT_NEAR(sum(results.at("grad/" + parameter)), slope(path.back(), {{name, ones_like(end)}}),
                1e-8)
        << name;
  }
}

TEST_F(Rules, TruncatedIsExactFromWhereTheSweepEnds) {
  use("truncated");
  const auto results = gradient(test_, inputs_);
  Case rest = test_;
  rest.config.inner.steps = test_.config.learner.truncation;
  rest.config.learner.truncation = 0;
  const NamedTensors start =
      adapted(test_.config.inner.steps - test_.config.learner.truncation).back();
  const auto expected = gradient(rest, inputs_with(start));
  for (const auto& [name, value] : start) {
    const auto got = results.at("grad/" + name.substr(6)).to_doubles();
    const auto wanted = expected.at("grad/" + name.substr(6)).to_doubles();
    for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], wanted[i], 1e-14) << name;
  }
}

TEST_F(Rules, ReptileIsTheWayBackFromTheAdaptedWeights) {
  use("reptile");
  const auto results = gradient(test_, inputs_);
  const NamedTensors end = adapted(test_.config.inner.steps).back();
  ASSERT_EQ(end.size(), 13u);  // weights, their variances, and variance_left
  EXPECT_DOUBLE_EQ(end.at("theta/variance_left").to_doubles()[0],
                   inputs_.at("theta/variance_left").to_doubles()[0] *
                       std::pow(test_.config.inner.beta2, test_.config.inner.steps));
  for (const auto& [name, value] : end) {
    const auto got = results.at("grad/" + name.substr(6)).to_doubles();
    const auto from = inputs_.at(name).to_doubles();
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_NEAR(got[i], from[i] - value.to_doubles()[i], 1e-15) << name;
    }
  }
}

TEST_F(Rules, ReptileTakesVariancesBelowZeroForZero) {
  use("reptile");
  Tensor& variance = inputs_["theta/variance/net/dense1/weight"];
  variance = Tensor(DType::f64, variance.shape());
  const auto expected = gradient(test_, inputs_);
  variance = variance.clone();
  for (double& element : variance.as<double>()) element = -1;
  const auto results = gradient(test_, inputs_);
  for (const auto& [name, value] : expected) {
    if (!name.starts_with("grad/net/")) continue;
    EXPECT_EQ(results.at(name).to_doubles(), value.to_doubles()) << name;
  }
}

}  // namespace
}  // namespace outerloop::meta::testing
