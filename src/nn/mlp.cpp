#include <fmt/format.h>

#include "nn/layers.h"
#include "outerloop/base/error.h"
#include "outerloop/ops/ops.h"

namespace outerloop::nn {

namespace {

// (rows, …example) -> (rows, features)
Expr flatten_rows(Expr x) {
  if (x.shape().rank() == 2) return x;
  const int64_t rows = x.shape()[0];
  return reshape(x, {rows, x.shape().elements() / rows});
}

ParameterSpecs mlp_parameters(const config::Model& config, int64_t features, int64_t outputs) {
  SpecList specs(config);
  int64_t width = features;
  const auto layers = static_cast<int64_t>(config.hidden.size());
  for (int64_t l = 1; l <= layers; ++l) {
    const int64_t next = config.hidden[static_cast<size_t>(l - 1)];
    specs.add_linear(layer_name("dense", l), {width, next}, width, next, false);
    if (outputs > 0 || l < layers) specs.add_norm(l, next);
    width = next;
  }
  if (outputs > 0) specs.add_linear("head", {width, outputs}, width, outputs, true);
  return specs.take();
}

}  // namespace

Model make_mlp(const config::Model& config, const Shape& example, int64_t outputs) {
  const auto layers = static_cast<int64_t>(config.hidden.size());
  if (outputs == 0 && layers == 0) {
    throw BadInput("model.hidden: an embedding network needs at least one layer, got []");
  }
  const int64_t curved = outputs > 0 ? layers : layers - 1;  // layers with an activation
  Model model;
  model.parameters = mlp_parameters(config, example.elements(), outputs);
  model.outputs = outputs > 0 ? outputs : config.hidden.back();
  model.couples_examples = config.norm == config::Norm::batch && curved > 0;
  model.dropout_layers = config.dropout > 0 ? curved : 0;
  model.forward = [config, layers, curved, outputs](const Values& parameters, Expr x,
                                                    DropoutSource* dropout) {
    Expr h = flatten_rows(x);
    for (int64_t l = 1; l <= layers; ++l) {
      h = dense(h, parameters, layer_name("dense", l));
      if (l > curved) break;
      h = activate(config, normalise(config, h, parameters, l));
      h = drop_out(config, h, dropout);
    }
    return outputs > 0 ? dense(h, parameters, "head") : h;
  };
  return model;
}

}  // namespace outerloop::nn
