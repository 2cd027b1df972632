// Networks from config: parameters, shapes, values by hand.

#include "outerloop/nn/model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "outerloop/base/error.h"
#include "outerloop/exec/oracle.h"
#include "outerloop/ops/ops.h"

namespace outerloop::nn {
namespace {

using config::Config;

std::vector<std::string> names_of(const Model& model) {
  std::vector<std::string> names;
  for (const ParameterSpec& spec : model.parameters) names.push_back(spec.name);
  return names;
}

// The network's answers for x with its initial values; `dropout_key` empty: no dropout.
std::vector<double> answers(const Model& model, const Tensor& x, const Tensor& dropout_key = {}) {
  Builder builder;
  Values parameters;
  std::vector<Tensor> inputs;
  for (const ParameterSpec& spec : model.parameters) {
    parameters.set(spec.name, builder.input(spec.name, {DType::f64, spec.shape}, Binding::shared));
    inputs.push_back(initial_value(spec, 1, DType::f64));
  }
  const Expr rows = builder.input("x", {DType::f64, x.shape()}, Binding::per_lane);
  inputs.push_back(x);
  DropoutSource source;
  if (!dropout_key.empty()) {
    source.key = builder.input("key", {DType::i32, {4}}, Binding::per_lane);
    inputs.push_back(dropout_key);
  }
  const Expr result = model.forward(parameters, rows, dropout_key.empty() ? nullptr : &source);
  EXPECT_EQ(result.shape(), (Shape{x.shape()[0], model.outputs}));
  builder.output("answers", result);
  return exec::interpret(builder.finish(), inputs)[0].to_doubles();
}

Tensor ramp(const Shape& shape) {
  Tensor x(DType::f64, shape);
  double value = 0;
  for (double& element : x.as<double>()) element = std::sin(value += 1.3);
  return x;
}

config::Model he_mlp() {
  config::Model config;
  config.hidden = {7, 5};
  config.init = config.head_init = config::Init::he;
  return config;
}

config::Model small_conv() {
  config::Model config;
  config.kind = config::ModelKind::conv4;
  config.filters = 3;
  config.norm = config::Norm::batch;
  config.init = config.head_init = config::Init::xavier;
  return config;
}

TEST(Mlp, NamesItsParametersInForwardOrder) {
  config::Model config = he_mlp();
  config.norm = config::Norm::layer;
  config.norm_scale = false;
  const Model model = make_model(config, {4}, 2);
  EXPECT_EQ(names_of(model),
            (std::vector<std::string>{"net/dense1/weight", "net/dense1/bias", "net/norm1/shift",
                                      "net/dense2/weight", "net/dense2/bias", "net/norm2/shift",
                                      "net/head/weight", "net/head/bias"}));
  EXPECT_EQ(model.parameters[3].shape, (Shape{7, 5}));
  EXPECT_TRUE(model.parameters[6].head);
  EXPECT_FALSE(model.parameters[3].head);
  EXPECT_FALSE(model.couples_examples);
}

TEST(Mlp, ComputesWhatTheFormulaSays) {
  config::Model config;
  config.hidden = {3};
  config.init = config.head_init = config::Init::normal;
  config.init_std = config.head_init_std = 1;
  config.activation = config::Activation::leaky_relu;
  config.leaky_slope = 0.25;
  const Model model = make_model(config, {2}, 1);
  const std::vector<double> w = initial_value(model.parameters[0], 1, DType::f64).to_doubles();
  const std::vector<double> v = initial_value(model.parameters[2], 1, DType::f64).to_doubles();
  const Tensor x = ramp({4, 2});
  const std::vector<double> got = answers(model, x);
  for (size_t row = 0; row < 4; ++row) {
    double expected = 0;
    for (size_t unit = 0; unit < 3; ++unit) {
      const double h =
          x.as<double>()[2 * row] * w[unit] + x.as<double>()[2 * row + 1] * w[3 + unit];
      expected += (h > 0 ? h : 0.25 * h) * v[unit];
    }
    EXPECT_NEAR(got[row], expected, 1e-14);
  }
}

TEST(Mlp, FlattensImages) {
  const Model model = make_model(he_mlp(), {3, 2, 1}, 2);
  const Tensor images = ramp({4, 3, 2, 1});
  EXPECT_EQ(answers(model, images), answers(model, images.reshaped({4, 6})));
}

TEST(Mlp, EmbeddingEndsWithALinearLayer) {
  const Model model = make_model(he_mlp(), {4}, 0);
  EXPECT_EQ(model.outputs, 5);
  EXPECT_EQ(names_of(model).back(), "net/dense2/bias");
  const std::vector<double> got = answers(model, ramp({20, 4}));
  EXPECT_TRUE(std::ranges::any_of(got, [](double value) { return value < 0; }));
}

TEST(Conv4, HasTheShapesOfItsPooling) {
  config::Model config = small_conv();
  const Model strided = make_model(config, {28, 28, 1}, 5);
  EXPECT_EQ(strided.parameters.back().shape, Shape{5});
  EXPECT_EQ(strided.parameters[strided.parameters.size() - 2].shape, (Shape{3, 5}));
  answers(strided, ramp({2, 28, 28, 1}));
  config.pooling = config::Pooling::max;
  config.readout = config::Readout::flatten;
  config.blocks = 2;
  const Model pooled = make_model(config, {9, 14, 2}, 4);  // 9x14 -> 4x7 -> 2x3
  EXPECT_EQ(pooled.parameters[pooled.parameters.size() - 2].shape, (Shape{18, 4}));
  answers(pooled, ramp({2, 9, 14, 2}));
  config.pooling = config::Pooling::stride;
  const Model embedding = make_model(config, {9, 14, 2}, 0);  // 9x14 -> 5x7 -> 3x4
  EXPECT_EQ(embedding.outputs, 36);
  answers(embedding, ramp({2, 9, 14, 2}));
}

TEST(Conv4, CouplesExamplesThroughBatchNormAlone) {
  config::Model config = small_conv();
  const Tensor both = ramp({2, 16, 16, 1});
  Tensor one(DType::f64, {1, 16, 16, 1});
  std::ranges::copy(both.as<double>().first(256), one.as<double>().begin());
  const auto first_row = [&](const Model& model, const Tensor& x) {
    const std::vector<double> got = answers(model, x);
    return std::vector<double>(got.begin(), got.begin() + 3);
  };
  const Model coupled = make_model(config, {16, 16, 1}, 3);
  EXPECT_TRUE(coupled.couples_examples);
  EXPECT_NE(first_row(coupled, both), first_row(coupled, one));
  config.norm = config::Norm::layer;
  const Model apart = make_model(config, {16, 16, 1}, 3);
  EXPECT_FALSE(apart.couples_examples);
  EXPECT_EQ(first_row(apart, both), first_row(apart, one));
}

TEST(Models, RefuseExamplesThatDoNotFit) {
  EXPECT_THROW(make_model(small_conv(), {28}, 5), BadInput);
  config::Model deep = small_conv();
  deep.pooling = config::Pooling::max;
  EXPECT_THROW(make_model(deep, {12, 12, 1}, 5), BadInput);
  config::Model linear;
  linear.hidden.clear();
  EXPECT_THROW(make_model(linear, {4}, 0), BadInput);
  EXPECT_EQ(make_model(linear, {4}, 2).parameters.size(), 2u);
}

TEST(Dropout, DrawsAMaskForEachLayerAndKey) {
  config::Model config = he_mlp();
  config.hidden = {64, 64};
  config.dropout = 0.5;
  const Model model = make_model(config, {4}, 2);
  EXPECT_EQ(model.dropout_layers, 2);
  const Tensor x = ramp({3, 4});
  const auto key = [](int32_t slot) { return Tensor::from<int32_t>({4}, {1, 2, 3, slot}); };
  EXPECT_EQ(answers(model, x, key(0)), answers(model, x, key(0)));
  EXPECT_NE(answers(model, x, key(0)), answers(model, x, key(1)));
  EXPECT_NE(answers(model, x, key(0)), answers(model, x));
}

TEST(Values, KeepOrderAndTreatZerosAsAbsent) {
  Builder builder;
  const Expr a = builder.input("a", {DType::f32, {}}, Binding::shared);
  const Expr b = builder.input("b", {DType::f32, {}}, Binding::shared);
  Values values;
  values.set("x", a);
  values.set("y", {});
  values.set("z", b);
  values.set("x", b);
  EXPECT_EQ(values.names(), (std::vector<std::string>{"x", "z"}));
  EXPECT_EQ(values.at("x").id(), b.id());
  EXPECT_FALSE(values.contains("y"));
  EXPECT_THROW(static_cast<void>(values.at("y")), InternalError);
}

}  // namespace
}  // namespace outerloop::nn
