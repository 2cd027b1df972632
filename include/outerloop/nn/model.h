#pragma once
// Networks from config, as functions that append to a program.

#include <functional>
#include <vector>

#include "outerloop/nn/parameter.h"
#include "outerloop/nn/values.h"

namespace outerloop::nn {

// Where the layers of one forward pass take their dropout masks from. Each use takes the next
// stream of the key (outerloop/ops/ops.h, random_uniform).
struct DropoutSource {
  Expr key;  // int32 (4,)
  int64_t stream = 0;
};

struct Model {
  ParameterSpecs parameters;
  int64_t outputs = 0;            // columns of the result
  bool couples_examples = false;  // batch norm: a row's result depends on the other rows
  int64_t dropout_layers = 0;     // streams that one forward pass takes
  // parameters by their names, x (rows, …example) -> (rows, outputs). A null source: no dropout.
  std::function<Expr(const Values& parameters, Expr x, DropoutSource* dropout)> forward;
};

// `example` is the shape of one input: (features) or (height, width, channels).
//
// mlp     [flatten] dense1 [norm1] activation [dropout] … head
// conv4   blocks of 3x3 SAME convolution, norm, activation, pooling, dropout; readout; head
//   pooling stride: stride 2 in the convolution; max: stride 1, then 2x2 max pool VALID
//
// outputs = 0 makes an embedding network (prototypes, ridge regression): no head; the last hidden
// layer of an mlp is linear, a conv4 ends at its readout. Throws BadInput when the example does not
// fit (conv4 wants images large enough for its blocks).
Model make_model(const config::Model& config, const Shape& example, int64_t outputs);

}  // namespace outerloop::nn
