#include "outerloop/nn/model.h"

#include "nn/layers.h"

namespace outerloop::nn {

Model make_model(const config::Model& config, const Shape& example, int64_t outputs) {
  const bool is_mlp = config.kind == config::ModelKind::mlp;
  return (is_mlp ? make_mlp : make_conv4)(config, example, outputs);
}

}  // namespace outerloop::nn
