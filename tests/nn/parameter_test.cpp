// How parameters start.

#include "outerloop/nn/parameter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace outerloop::nn {
namespace {

ParameterSpec spec_of(config::Init rule, const std::string& name = "net/dense1/weight") {
  return {name, {200, 100}, {.rule = rule, .std = 0.5, .fan_in = 200, .fan_out = 100}};
}

struct Moments {
  double mean = 0;
  double deviation = 0;
  double largest = 0;
};

Moments moments_of(const ParameterSpec& spec) {
  const std::vector<double> values = initial_value(spec, 7, DType::f64).to_doubles();
  Moments moments;
  for (const double value : values) {
    moments.mean += value / static_cast<double>(values.size());
    moments.largest = std::max(moments.largest, std::abs(value));
  }
  double square = 0;
  for (const double value : values) square += std::pow(value - moments.mean, 2);
  moments.deviation = std::sqrt(square / static_cast<double>(values.size()));
  return moments;
}

TEST(InitialValue, UniformRulesFillTheirInterval) {
  const std::vector<std::pair<config::Init, double>> limits = {
      {config::Init::he, std::sqrt(6.0 / 200)},
      {config::Init::xavier, std::sqrt(6.0 / 300)},
      {config::Init::fan_in, 1 / std::sqrt(200.0)},
  };
  for (const auto& [rule, limit] : limits) {
    const Moments moments = moments_of(spec_of(rule));
    EXPECT_LE(moments.largest, limit);
    EXPECT_GT(moments.largest, 0.999 * limit);
    EXPECT_NEAR(moments.deviation, limit / std::sqrt(3.0), 0.02 * limit);
    EXPECT_NEAR(moments.mean, 0, 0.02 * limit);
  }
}

TEST(InitialValue, NormalRulesHaveTheirDeviation) {
  const Moments normal = moments_of(spec_of(config::Init::normal));
  EXPECT_NEAR(normal.deviation, 0.5, 0.01);
  EXPECT_GT(normal.largest, 1.5);
  const Moments cut = moments_of(spec_of(config::Init::truncated_normal));
  EXPECT_LE(cut.largest, 1.0);
  EXPECT_NEAR(cut.deviation, 0.5 * 0.8796, 0.01);  // of a standard normal cut at 2
}

TEST(InitialValue, ConstantsAreTheirValue) {
  ParameterSpec spec = spec_of(config::Init::zeros);
  EXPECT_EQ(moments_of(spec).largest, 0);
  spec.initial.value = 1;
  EXPECT_NEAR(moments_of(spec).mean, 1, 1e-12);
}

TEST(InitialValue, DependsOnSeedAndNameAlone) {
  const ParameterSpec spec = spec_of(config::Init::normal);
  const auto values = [](const ParameterSpec& s, uint64_t seed) {
    return initial_value(s, seed).to_doubles();
  };
  EXPECT_EQ(values(spec, 1), values(spec, 1));
  EXPECT_NE(values(spec, 1), values(spec, 2));
  EXPECT_NE(values(spec, 1), values(spec_of(config::Init::normal, "net/dense2/weight"), 1));
}

TEST(InitialValue, IsRoundedOnce) {
  const ParameterSpec spec = spec_of(config::Init::he);
  const std::vector<double> exact = initial_value(spec, 3, DType::f64).to_doubles();
  const std::vector<double> rounded = initial_value(spec, 3, DType::f32).to_doubles();
  for (size_t i = 0; i < exact.size(); ++i) {
    EXPECT_EQ(rounded[i], static_cast<double>(static_cast<float>(exact[i])));
  }
}

}  // namespace
}  // namespace outerloop::nn
