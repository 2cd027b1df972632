// Functions of networks and losses: values against plain arithmetic, derivatives against central
// differences to order three.

#include "outerloop/nn/functions.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>

#include "outerloop/autodiff/autodiff.h"
#include "outerloop/base/error.h"
#include "outerloop/exec/oracle.h"

namespace outerloop {
namespace {

using Values = std::vector<double>;
using Function = std::function<Expr(std::span<const Expr>)>;

Values run(const Function& function, std::span<const Tensor> inputs) {
  Builder builder;
  std::vector<Expr> arguments;
  for (const Tensor& input : inputs) {
    arguments.push_back(builder.input(std::to_string(arguments.size()),
                                      {input.dtype(), input.shape()}, Binding::per_lane));
  }
  builder.output("y", function(arguments));
  return exec::interpret(builder.finish(), inputs)[0].to_doubles();
}

Tensor tensor(Shape shape, Values values) {
  return Tensor::from<double>(shape, values);
}
Tensor labels(std::vector<int32_t> values) {
  return Tensor::from<int32_t>({static_cast<int64_t>(values.size())}, values);
}

Tensor draw(Shape shape, uint32_t seed) {
  std::mt19937 generator(seed);
  Values values(static_cast<size_t>(shape.elements()));
  for (double& value : values) value = generator() * 0x1p-31 - 1;
  return tensor(shape, values);
}

void expect_near(const Values& got, const Values& expected, double tolerance) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], tolerance) << i;
}

TEST(Softmax, AddsUpToOneAndIgnoresAShift) {
  const Tensor z = tensor({2, 3}, {1, 2, 3, 1001, 1002, 1003});
  const auto p = run([](auto x) { return nn::softmax(x[0]); }, {&z, 1});
  expect_near({p[0], p[1], p[2]}, {p[3], p[4], p[5]}, 1e-15);
  EXPECT_NEAR(p[0] + p[1] + p[2], 1, 1e-15);
  EXPECT_NEAR(p[2] / p[1], std::exp(1), 1e-14);
}

TEST(LogSoftmax, IsFiniteWhereSoftmaxIsZero) {
  const Tensor z = tensor({1, 2}, {0, 2000});
  expect_near(run([](auto x) { return nn::log_softmax(x[0]); }, {&z, 1}), {-2000, 0}, 1e-12);
}

TEST(SoftmaxCrossEntropy, IsTheMeanOfMinusLogProbabilities) {
  const std::vector<Tensor> inputs{tensor({2, 3}, {1, 2, 3, 0, 0, 0}), labels({2, 1})};
  const auto loss = run([](auto x) { return nn::softmax_cross_entropy(x[0], x[1]); }, inputs);
  const double first = std::log(std::exp(-2) + std::exp(-1) + 1);
  expect_near(loss, {(first + std::log(3)) / 2}, 1e-15);
}

TEST(MeanSquaredError, CountsEveryElement) {
  const std::vector<Tensor> inputs{tensor({2, 2}, {1, 2, 3, 4}), tensor({2, 2}, {1, 0, 3, 0})};
  expect_near(run([](auto x) { return nn::mean_squared_error(x[0], x[1]); }, inputs), {5}, 0);
}

TEST(BatchNorm, HasZeroMeanAndBiasedUnitVariancePerChannel) {
  const Tensor x = tensor({4, 1, 1, 2}, {1, 10, 2, 30, 3, 20, 6, 40});
  const auto y = run([](auto v) { return nn::batch_norm(v[0], {}, {}, 0); }, {&x, 1});
  for (size_t channel = 0; channel < 2; ++channel) {
    double mean = 0, square = 0;
    for (size_t row = 0; row < 4; ++row) {
      mean += y[row * 2 + channel] / 4;
      square += y[row * 2 + channel] * y[row * 2 + channel] / 4;
    }
    EXPECT_NEAR(mean, 0, 1e-15);
    EXPECT_NEAR(square, 1, 1e-14);
  }
}

TEST(BatchNorm, ScalesAndShiftsChannels) {
  const std::vector<Tensor> inputs{tensor({2, 2}, {-1, -3, 1, 3}), tensor({2}, {5, 7}),
                                   tensor({2}, {100, 200})};
  expect_near(run([](auto x) { return nn::batch_norm(x[0], x[1], x[2], 0); }, inputs),
              {95, 193, 105, 207}, 1e-12);
}

TEST(LayerNorm, NormalisesEachRow) {
  const Tensor x = tensor({2, 2}, {1, 3, -5, 15});
  expect_near(run([](auto v) { return nn::layer_norm(v[0], {}, {}, 0); }, {&x, 1}), {-1, 1, -1, 1},
              1e-14);
}

TEST(MaxPool, DropsTheLastOddRowAndColumn) {
  const Tensor x = tensor({1, 3, 3, 1}, {1, 2, 9, 4, 3, 9, 9, 9, 9});
  expect_near(run([](auto v) { return nn::max_pool_2x2(v[0]); }, {&x, 1}), {4}, 0);
}

TEST(LeakyRelu, ScalesNegativeValues) {
  const Tensor x = tensor({3}, {-2, 0, 3});
  expect_near(run([](auto v) { return nn::leaky_relu(v[0], 0.1); }, {&x, 1}), {-0.2, 0, 3}, 1e-16);
}

TEST(Dropout, KeepsAndScalesWhereTheUniformIsLarge) {
  const std::vector<Tensor> inputs{tensor({3}, {1, 2, 3}), tensor({3}, {0.1, 0.25, 0.9})};
  expect_near(run([](auto x) { return nn::dropout(x[0], x[1], 0.25); }, inputs), {0, 2 / 0.75, 4},
              1e-15);
  EXPECT_THROW(run([](auto x) { return nn::dropout(x[0], x[1], 1); }, inputs), BadInput);
}

// ---- Derivatives ----

struct Case {
  const char* name;
  std::vector<Shape> shapes;
  Function function;
};

Expr fixed_labels(Expr logits) {
  return iota(logits.builder(), logits.shape()[0]);
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {"softmax", {{3, 5}}, [](auto x) { return nn::softmax(x[0]); }},
      {"log_softmax", {{3, 5}}, [](auto x) { return nn::log_softmax(x[0]); }},
      {"cross_entropy",
       {{3, 5}},
       [](auto x) { return nn::softmax_cross_entropy(x[0], fixed_labels(x[0])); }},
      {"mean_squared_error",
       {{3, 2}, {3, 2}},
       [](auto x) { return nn::mean_squared_error(x[0], x[1]); }},
      {"batch_norm",
       {{2, 3, 2, 4}, {4}, {4}},
       [](auto x) { return nn::batch_norm(x[0], x[1], x[2], 1e-3); }},
      {"layer_norm",
       {{3, 6}, {6}, {6}},
       [](auto x) { return nn::layer_norm(x[0], x[1], x[2], 1e-3); }},
      {"max_pool", {{2, 4, 5, 2}}, [](auto x) { return nn::max_pool_2x2(x[0]); }},
      {"leaky_relu", {{20}}, [](auto x) { return nn::leaky_relu(x[0], 0.1); }},
  };
  return all;
}

class FunctionDerivatives : public ::testing::TestWithParam<Case> {};

TEST_P(FunctionDerivatives, AgreeWithCentralDifferencesToOrderThree) {
  const Case& c = GetParam();
  const size_t count = c.shapes.size();
  // The first `count` arguments are x, the others v. Gives F0 … F3.
  const Function orders = [&](std::span<const Expr> arguments) {
    const auto x = arguments.first(count), v = arguments.last(count);
    Builder& builder = x[0].builder();
    const Expr y = c.function(x);
    Expr value = sum(y + y * y * 0.5 + y * y * y * (1.0 / 6));
    std::vector<Expr> values{reshape(value, {1})};
    for (int order = 1; order <= 3; ++order) {
      const auto gradient = grad(builder, value, x);
      value = sum(gradient[0] * v[0]);
      for (size_t i = 1; i < count; ++i) {
        if (gradient[i].valid()) value = value + sum(gradient[i] * v[i]);
      }
      values.push_back(reshape(value, {1}));
    }
    return concat(values, 0);
  };
  const auto values_at = [&](double t) {
    std::vector<Tensor> inputs;
    for (size_t i = 0; i < count; ++i) {
      Tensor x = draw(c.shapes[i], static_cast<uint32_t>(i));
      const Tensor v = draw(c.shapes[i], static_cast<uint32_t>(100 + i));
      for (size_t k = 0; k < x.as<double>().size(); ++k) x.as<double>()[k] += t * v.as<double>()[k];
      inputs.push_back(x);
    }
    for (size_t i = 0; i < count; ++i) {
      inputs.push_back(draw(c.shapes[i], static_cast<uint32_t>(100 + i)));
    }
    return run(orders, inputs);
  };
  constexpr double kStep = 1e-4;
  const Values at = values_at(0), ahead = values_at(kStep), far_ahead = values_at(2 * kStep),
               behind = values_at(-kStep), far_behind = values_at(-2 * kStep);
  for (size_t n = 1; n < at.size(); ++n) {
    const double difference =
        (8 * (ahead[n - 1] - behind[n - 1]) - (far_ahead[n - 1] - far_behind[n - 1])) /
        (12 * kStep);
    const double scale = 1 + std::fabs(at[n]) + std::fabs(at[n - 1]);
    EXPECT_NEAR(at[n], difference, 1e-8 * scale) << "order " << n;
  }
}

INSTANTIATE_TEST_SUITE_P(All, FunctionDerivatives, ::testing::ValuesIn(cases()),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace outerloop
