// Every kind of network that a config can ask for, against plain loops in double.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "outerloop/config/read.h"
#include "outerloop/exec/oracle.h"
#include "outerloop/nn/model.h"

namespace outerloop::nn {
namespace {

using Numbers = std::vector<double>;
using Words = std::vector<std::string>;

// (rows, height, width, channels); an MLP's rows are 1 x 1.
struct Images {
  int64_t rows, height, width, channels;
  Numbers values;

  Images(int64_t n, int64_t h, int64_t w, int64_t c)
      : rows(n), height(h), width(w), channels(c), values(static_cast<size_t>(n * h * w * c)) {}
  double& at(int64_t n, int64_t y, int64_t x, int64_t c) {
    return values[static_cast<size_t>(((n * height + y) * width + x) * channels + c)];
  }
};

struct ByHand {
  config::Model config;
  std::map<std::string, Tensor> parameters;

  double parameter(const std::string& name, int64_t i, double absent) const {
    const auto found = parameters.find("net/" + name);
    return found == parameters.end() ? absent : found->second.to_doubles()[static_cast<size_t>(i)];
  }

  // A square kernel; the output has ceil(side / stride) places and what lies outside is zero, the
  // odd one behind.
  Images convolve(Images& x, const std::string& layer, int64_t side, int64_t stride,
                  int64_t filters) const {
    const Numbers w = parameters.at("net/" + layer + "/weight").to_doubles();
    Images result(x.rows, (x.height + stride - 1) / stride, (x.width + stride - 1) / stride,
                  filters);
    const auto before = [&](int64_t in, int64_t out) {
      return std::max<int64_t>((out - 1) * stride + side - in, 0) / 2;
    };
    const int64_t top = before(x.height, result.height), left = before(x.width, result.width);
    for (int64_t n = 0; n < x.rows; ++n)
      for (int64_t i = 0; i < result.height; ++i)
        for (int64_t j = 0; j < result.width; ++j)
          for (int64_t f = 0; f < filters; ++f) {
            double sum = parameter(layer + "/bias", f, 0);
            for (int64_t a = 0; a < side; ++a)
              for (int64_t b = 0; b < side; ++b)
                for (int64_t c = 0; c < x.channels; ++c) {
                  const int64_t y = i * stride + a - top, z = j * stride + b - left;
                  if (y < 0 || y >= x.height || z < 0 || z >= x.width) continue;
                  sum += x.at(n, y, z, c) *
                         w[static_cast<size_t>(((a * side + b) * x.channels + c) * filters + f)];
                }
            result.at(n, i, j, f) = sum;
          }
    return result;
  }

  // To mean 0 and variance 1: batch over rows and places of a channel, layer over the channels of
  // a place.
  void normalise(Images& x, const std::string& layer) const {
    if (config.norm == config::Norm::none) return;
    const bool batch = config.norm == config::Norm::batch;
    const int64_t places = x.rows * x.height * x.width;
    const int64_t groups = batch ? x.channels : places;
    const int64_t members = batch ? places : x.channels;
    const auto value = [&](int64_t group, int64_t member) -> double& {
      const int64_t place = batch ? member : group, channel = batch ? group : member;
      return x.values[static_cast<size_t>(place * x.channels + channel)];
    };
    for (int64_t g = 0; g < groups; ++g) {
      double mean = 0, variance = 0;
      for (int64_t m = 0; m < members; ++m) mean += value(g, m) / static_cast<double>(members);
      for (int64_t m = 0; m < members; ++m)
        variance += std::pow(value(g, m) - mean, 2) / static_cast<double>(members);
      for (int64_t m = 0; m < members; ++m) {
        const int64_t channel = batch ? g : m;
        value(g, m) = (value(g, m) - mean) / std::sqrt(variance + config.norm_epsilon) *
                          parameter(layer + "/scale", channel, 1) +
                      parameter(layer + "/shift", channel, 0);
      }
    }
  }

  void activate(Images& x) const {
    for (double& value : x.values) {
      if (config.activation == config::Activation::tanh) {
        value = std::tanh(value);
      } else if (value < 0) {
        value *= config.activation == config::Activation::relu ? 0 : config.leaky_slope;
      }
    }
  }

  static Images pool(Images& x) {
    Images result(x.rows, x.height / 2, x.width / 2, x.channels);
    for (int64_t n = 0; n < x.rows; ++n)
      for (int64_t i = 0; i < result.height; ++i)
        for (int64_t j = 0; j < result.width; ++j)
          for (int64_t c = 0; c < x.channels; ++c)
            result.at(n, i, j, c) =
                std::max(std::max(x.at(n, 2 * i, 2 * j, c), x.at(n, 2 * i, 2 * j + 1, c)),
                         std::max(x.at(n, 2 * i + 1, 2 * j, c), x.at(n, 2 * i + 1, 2 * j + 1, c)));
    return result;
  }

  Images read_out(Images& x) const {
    if (config.readout == config::Readout::flatten) {
      Images flat(x.rows, 1, 1, x.height * x.width * x.channels);
      flat.values = x.values;
      return flat;
    }
    Images means(x.rows, 1, 1, x.channels);
    for (int64_t n = 0; n < x.rows; ++n)
      for (int64_t i = 0; i < x.height; ++i)
        for (int64_t j = 0; j < x.width; ++j)
          for (int64_t c = 0; c < x.channels; ++c)
            means.at(n, 0, 0, c) += x.at(n, i, j, c) / static_cast<double>(x.height * x.width);
    return means;
  }

  Numbers answers(Images x, int64_t outputs) const {
    const bool conv = config.kind == config::ModelKind::conv4;
    const int64_t stride = conv && config.pooling == config::Pooling::stride ? 2 : 1;
    const int64_t layers = conv ? config.blocks : static_cast<int64_t>(config.hidden.size());
    for (int64_t l = 1; l <= layers; ++l) {
      const std::string number = std::to_string(l);
      const int64_t width = conv ? config.filters : config.hidden[static_cast<size_t>(l - 1)];
      x = convolve(x, (conv ? "conv" : "dense") + number, conv ? 3 : 1, stride, width);
      normalise(x, "norm" + number);
      activate(x);
      if (conv && config.pooling == config::Pooling::max) x = pool(x);
    }
    if (conv) x = read_out(x);
    return convolve(x, "head", 1, 1, outputs).values;
  }
};

const std::string kConv = "model.kind=conv4";
const std::string kMlp = "model.kind=mlp";

class Networks : public testing::TestWithParam<Words> {};

TEST_P(Networks, ComputeWhatPlainLoopsCompute) {
  Words settings = GetParam();
  settings.push_back("model.dropout=0.2");
  const config::Model config =
      config::read_config(OUTERLOOP_SOURCE_DIR "/configs/omniglot_maml.yaml", settings)
          .config.model;
  const Shape example = config.kind == config::ModelKind::conv4 ? Shape{9, 12, 2} : Shape{6};
  constexpr int64_t kRows = 3, kOutputs = 4;
  const Model model = make_model(config, example, kOutputs);
  double angle = 0;
  const auto filled = [&](const Shape& shape) {
    Tensor tensor(DType::f64, shape);
    for (double& value : tensor.as<double>()) value = std::sin(angle += 1.3);
    return tensor;
  };

  ByHand by_hand{config, {}};
  Builder builder;
  Values parameters;
  std::vector<Tensor> inputs;
  for (const ParameterSpec& spec : model.parameters) {
    parameters.set(spec.name, builder.input(spec.name, {DType::f64, spec.shape}, Binding::shared));
    inputs.push_back(by_hand.parameters[spec.name] = filled(spec.shape));
  }
  Shape shape{kRows};
  for (const int64_t extent : example) shape.append(extent);
  inputs.push_back(filled(shape));
  // Without a source of random numbers nothing is dropped.
  const Expr x = builder.input("x", {DType::f64, shape}, Binding::per_lane);
  builder.output("answers", model.forward(parameters, x, nullptr));
  const Numbers got = exec::interpret(builder.finish(), inputs)[0].to_doubles();

  const bool flat = example.rank() == 1;
  Images images(kRows, flat ? 1 : 9, flat ? 1 : 12, flat ? 6 : 2);
  images.values = inputs.back().to_doubles();
  const Numbers expected = by_hand.answers(images, kOutputs);
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-11) << i;
}

INSTANTIATE_TEST_SUITE_P(
    All, Networks,
    testing::Values(Words{kMlp, "model.hidden=[7,5]", "model.norm=none"},
                    Words{kMlp, "model.hidden=[8]", "model.norm=batch", "model.norm_scale=true"},
                    Words{kMlp, "model.hidden=[5,6,7]", "model.norm=layer",
                          "model.activation=tanh"},
                    Words{kMlp, "model.hidden=[]", "model.bias=false"},
                    Words{kConv, "model.filters=3", "model.norm=none",
                          "model.activation=leaky_relu", "model.leaky_slope=0.2"},
                    Words{kConv, "model.filters=3", "model.norm=batch", "model.norm_scale=true",
                          "model.norm_shift=false"},
                    Words{kConv, "model.filters=5", "model.norm=batch", "model.readout=flatten"},
                    Words{kConv, "model.filters=3", "model.norm=layer", "model.norm_scale=true"},
                    Words{kConv, "model.filters=4", "model.blocks=3", "model.pooling=max",
                          "model.readout=flatten", "model.norm_epsilon=0.01"},
                    Words{kConv, "model.filters=2", "model.blocks=2", "model.pooling=max",
                          "model.readout=mean", "model.activation=tanh", "model.bias=false"}),
    [](const auto& one) { return "network" + std::to_string(one.index); });

}  // namespace
}  // namespace outerloop::nn
