#pragma once
// What the networks share: parameter lists and the chain that follows a linear map.

#include <string>

#include "outerloop/nn/model.h"

namespace outerloop::nn {

// Collects the parameters of a network in forward order.
class SpecList {
 public:
  explicit SpecList(const config::Model& config) : config_(config) {}

  // "net/<layer>/weight" and, if layers have one, "net/<layer>/bias".
  void add_linear(const std::string& layer, const Shape& weight, int64_t fan_in, int64_t fan_out,
                  bool head);
  // "net/norm<number>/scale" and "…/shift" as far as the config has them.
  void add_norm(int64_t number, int64_t channels);
  ParameterSpecs take() { return std::move(specs_); }

 private:
  const config::Model& config_;
  ParameterSpecs specs_;
};

std::string layer_name(const char* kind, int64_t number);  // "conv1"

// x + bias where the layer has one.
Expr add_bias(Expr x, const Values& parameters, const std::string& layer);
// matmul(x, weight) + bias of "net/<layer>".
Expr dense(Expr x, const Values& parameters, const std::string& layer);
Expr normalise(const config::Model& config, Expr x, const Values& parameters, int64_t number);
Expr activate(const config::Model& config, Expr x);
Expr drop_out(const config::Model& config, Expr x, DropoutSource* dropout);

Model make_mlp(const config::Model& config, const Shape& example, int64_t outputs);
Model make_conv4(const config::Model& config, const Shape& example, int64_t outputs);

}  // namespace outerloop::nn
