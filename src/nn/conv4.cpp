#include <fmt/format.h>

#include "nn/layers.h"
#include "outerloop/base/error.h"
#include "outerloop/nn/functions.h"
#include "outerloop/ops/ops.h"

namespace outerloop::nn {

namespace {

constexpr int64_t kKernel = 3;

// Extent of an image's side after one block.
int64_t after_block(const config::Model& config, int64_t side) {
  return config.pooling == config::Pooling::max ? side / 2 : (side + 1) / 2;
}

// (height, width) after all blocks.
Shape last_places(const config::Model& config, const Shape& example) {
  Shape places{example[0], example[1]};
  for (int64_t block = 0; block < config.blocks; ++block) {
    places = {after_block(config, places[0]), after_block(config, places[1])};
  }
  if (places.elements() == 0) {
    throw BadInput(
        fmt::format("model: images of {}x{} are too small for {} blocks of 2x2 max-pooling; use "
                    "fewer blocks or larger images",
                    example[0], example[1], config.blocks));
  }
  return places;
}

ParameterSpecs conv4_parameters(const config::Model& config, int64_t channels, int64_t features,
                                int64_t outputs) {
  SpecList specs(config);
  const int64_t taps = kKernel * kKernel;
  for (int64_t block = 1; block <= config.blocks; ++block) {
    const int64_t filters = config.filters;
    specs.add_linear(layer_name("conv", block), {kKernel, kKernel, channels, filters},
                     taps * channels, taps * filters, false);
    specs.add_norm(block, filters);
    channels = filters;
  }
  if (outputs > 0) specs.add_linear("head", {features, outputs}, features, outputs, true);
  return specs.take();
}

Expr convolve(const config::Model& config, Expr x, const Values& parameters, int64_t block) {
  const std::string layer = layer_name("conv", block);
  const int64_t stride = config.pooling == config::Pooling::stride ? 2 : 1;
  const Pads2d pads = same_pads(x.shape()[1], x.shape()[2], kKernel, kKernel, stride);
  const Expr weight = parameters.at("net/" + layer + "/weight");
  return add_bias(conv2d(x, weight, stride, pads), parameters, layer);
}

// (rows, height, width, channels) -> (rows, features)
Expr read_out(const config::Model& config, Expr x) {
  if (config.readout == config::Readout::mean) return mean(x, {1, 2});
  return reshape(x, {x.shape()[0], x.shape().elements() / x.shape()[0]});
}

}  // namespace

Model make_conv4(const config::Model& config, const Shape& example, int64_t outputs) {
  if (example.rank() != 3) {
    throw BadInput(fmt::format(
        "model.kind: conv4 wants images (height, width, channels), the tasks give {}; use mlp",
        to_string(example)));
  }
  const Shape places = last_places(config, example);
  const bool flat = config.readout == config::Readout::flatten;
  const int64_t features = config.filters * (flat ? places.elements() : 1);
  Model model;
  model.parameters = conv4_parameters(config, example[2], features, outputs);
  model.outputs = outputs > 0 ? outputs : features;
  model.couples_examples = config.norm == config::Norm::batch;
  model.dropout_layers = config.dropout > 0 ? config.blocks : 0;
  model.forward = [config, outputs](const Values& parameters, Expr x, DropoutSource* dropout) {
    Expr h = x;
    for (int64_t block = 1; block <= config.blocks; ++block) {
      h = convolve(config, h, parameters, block);
      h = activate(config, normalise(config, h, parameters, block));
      if (config.pooling == config::Pooling::max) h = max_pool_2x2(h);
      h = drop_out(config, h, dropout);
    }
    h = read_out(config, h);
    return outputs > 0 ? dense(h, parameters, "head") : h;
  };
  return model;
}

}  // namespace outerloop::nn
