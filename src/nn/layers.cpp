#include "nn/layers.h"

#include <fmt/format.h>

#include "outerloop/nn/functions.h"
#include "outerloop/ops/ops.h"

namespace outerloop::nn {

std::string layer_name(const char* kind, int64_t number) {
  return fmt::format("{}{}", kind, number);
}

void SpecList::add_linear(const std::string& layer, const Shape& weight, int64_t fan_in,
                          int64_t fan_out, bool head) {
  const InitialValue initial{.rule = head ? config_.head_init : config_.init,
                             .std = head ? config_.head_init_std : config_.init_std,
                             .fan_in = fan_in,
                             .fan_out = fan_out};
  specs_.push_back({"net/" + layer + "/weight", weight, initial, ParameterRole::weight, head});
  if (!config_.bias) return;
  const Shape channels{weight[weight.rank() - 1]};
  specs_.push_back({"net/" + layer + "/bias", channels, {}, ParameterRole::bias, head});
}

void SpecList::add_norm(int64_t number, int64_t channels) {
  if (config_.norm == config::Norm::none) return;
  const std::string layer = "net/" + layer_name("norm", number);
  if (config_.norm_scale) {
    specs_.push_back({layer + "/scale", {channels}, {.value = 1}, ParameterRole::norm, false});
  }
  if (config_.norm_shift) {
    specs_.push_back({layer + "/shift", {channels}, {}, ParameterRole::norm, false});
  }
}

Expr add_bias(Expr x, const Values& parameters, const std::string& layer) {
  const Expr bias = parameters.find("net/" + layer + "/bias");
  return bias.valid() ? x + bias : x;
}

Expr dense(Expr x, const Values& parameters, const std::string& layer) {
  return add_bias(matmul(x, parameters.at("net/" + layer + "/weight")), parameters, layer);
}

Expr normalise(const config::Model& config, Expr x, const Values& parameters, int64_t number) {
  if (config.norm == config::Norm::none) return x;
  const std::string layer = "net/" + layer_name("norm", number);
  const Expr scale = parameters.find(layer + "/scale");
  const Expr shift = parameters.find(layer + "/shift");
  const auto norm = config.norm == config::Norm::batch ? batch_norm : layer_norm;
  return norm(x, scale, shift, config.norm_epsilon);
}

Expr activate(const config::Model& config, Expr x) {
  switch (config.activation) {
    case config::Activation::tanh:
      return tanh(x);
    case config::Activation::leaky_relu:
      return leaky_relu(x, config.leaky_slope);
    case config::Activation::relu:
      break;
  }
  return relu(x);
}

Expr drop_out(const config::Model& config, Expr x, DropoutSource* source) {
  if (config.dropout == 0 || source == nullptr) return x;
  return dropout(x, random_uniform(source->key, source->stream++, x.type()), config.dropout);
}

}  // namespace outerloop::nn
