// Meta-gradients of every learner: against central differences, across segments, across executors.

#include <gtest/gtest.h>

#include <cmath>

#include "meta/cases.h"

namespace outerloop::meta::testing {
namespace {

// A direction in theta: the same numbers for each call.
Tensor direction(const Tensor& like, size_t place) {
  Tensor result(DType::f64, like.shape());
  double angle = 0.7 * static_cast<double>(place + 1);
  for (double& value : result.as<double>()) value = std::sin(angle += 1.9);
  return result;
}

NamedTensors moved(const NamedTensors& inputs, double length) {
  NamedTensors result = inputs;
  size_t place = 0;
  for (auto& [name, value] : result) {
    if (!name.starts_with("theta/")) continue;
    const Tensor way = direction(value, place++);
    value = value.clone();
    for (size_t i = 0; i < way.as<double>().size(); ++i) {
      value.as<double>()[i] += length * way.as<double>()[i];
    }
  }
  return result;
}

// d loss / d direction by the plan's gradients.
double slope_of(const NamedTensors& inputs, const NamedTensors& results) {
  double slope = 0;
  size_t place = 0;
  for (const auto& [name, value] : inputs) {
    if (!name.starts_with("theta/")) continue;
    const std::vector<double> way = direction(value, place++).to_doubles();
    const auto gradient = results.find("grad/" + name.substr(6));
    if (gradient == results.end()) continue;
    const std::vector<double> values = gradient->second.to_doubles();
    for (size_t i = 0; i < way.size(); ++i) slope += way[i] * values[i];
  }
  return slope;
}

class ExactLearner : public ::testing::TestWithParam<Case> {};

TEST_P(ExactLearner, HasTheSlopeOfItsLoss) {
  const Learner learner = learner_of(GetParam());
  const GradientPlan plan = make_gradient_plan(learner, GetParam().shape, DType::f64);
  ProgramRunner runner(reference::oracle());
  for (uint32_t seed = 1; seed <= 2; ++seed) {
    const NamedTensors inputs = inputs_of(GetParam(), learner, DType::f64, seed);
    const NamedTensors results = run_gradient(plan, inputs, runner);
    const auto loss_at = [&](double length) {
      return number(run_gradient(plan, moved(inputs, length), runner), "loss");
    };
    const double h = 1e-6;  // fourth-order central differences
    const double slope =
        (8 * (loss_at(h) - loss_at(-h)) - (loss_at(2 * h) - loss_at(-2 * h))) / (12 * h);
    EXPECT_NEAR(slope_of(inputs, results), slope, 1e-8 * (1 + std::abs(slope)));
    EXPECT_GT(std::abs(slope), 1e-6);
  }
}

INSTANTIATE_TEST_SUITE_P(All, ExactLearner, ::testing::ValuesIn(exact_cases()), name_of_case);

class AnyLearner : public ::testing::TestWithParam<Case> {};

void expect_same_bits(const NamedTensors& got, const NamedTensors& expected) {
  for (const auto& [name, value] : expected) {
    if (name != "loss" && name != "accuracy" && !name.starts_with("grad/")) continue;
    ASSERT_TRUE(got.contains(name)) << name;
    EXPECT_EQ(got.at(name).to_doubles(), value.to_doubles()) << name;
  }
}

TEST_P(AnyLearner, DoesNotDependOnTheSegments) {
  Learner learner = learner_of(GetParam());
  const NamedTensors inputs = inputs_of(GetParam(), learner, DType::f32);
  for (const auto& engine : {reference::oracle(), reference::compiled()}) {
    ProgramRunner runner(engine);
    const auto run = [&](int64_t segment) {
      learner.segment = segment;
      return run_gradient(make_gradient_plan(learner, GetParam().shape), inputs, runner);
    };
    const NamedTensors whole = run(0);
    for (const int64_t segment : {1, 2, 3}) {
      SCOPED_TRACE(segment);
      expect_same_bits(run(segment), whole);
    }
  }
}

TEST_P(AnyLearner, GivesTheOraclesBitsWhenCompiled) {
  const Learner learner = learner_of(GetParam());
  const GradientPlan plan = make_gradient_plan(learner, GetParam().shape);
  const NamedTensors inputs = inputs_of(GetParam(), learner, DType::f32);
  ProgramRunner compiled(reference::compiled());
  ProgramRunner oracle(reference::oracle());
  expect_same_bits(run_gradient(plan, inputs, compiled), run_gradient(plan, inputs, oracle));
}

INSTANTIATE_TEST_SUITE_P(All, AnyLearner, ::testing::ValuesIn(all_cases()), name_of_case);

}  // namespace
}  // namespace outerloop::meta::testing
