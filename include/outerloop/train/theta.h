#pragma once
// The meta-parameters of a run: one flat vector and where each of them lies in it.

#include "outerloop/checkpoint/checkpoint.h"
#include "outerloop/io/named_tensor.h"
#include "outerloop/meta/learner.h"
#include "outerloop/optim/outer.h"

namespace outerloop::train {

// What a checkpoint keeps of the outer loop.
struct OuterState {
  Tensor theta;                            // (layout.elements,)
  std::vector<io::NamedTensor> optimizer;  // each (layout.elements,), by OuterPlan::state
  int64_t updates = 0;  // made so far: iterations less those whose update was skipped
};

optim::ThetaLayout layout_of(const nn::ParameterSpecs& parameters);

// Where each parameter ends in the flat vector, its padding included.
std::vector<int64_t> ends_of(const optim::ThetaLayout& layout);

// (layout.elements,) float32: the initial values, padding zero. A function of the seed alone.
Tensor initial_theta(const nn::ParameterSpecs& parameters, const optim::ThetaLayout& layout,
                     uint64_t seed);

// A flat vector as named tensors and back. unflatten copies; flatten throws BadInput when a name or
// shape differs from the layout.
io::TensorTree unflatten(const Tensor& flat, const optim::ThetaLayout& layout);
Tensor flatten(const io::TensorTree& tree, const optim::ThetaLayout& layout);

// The meta-parameters that answers are made with: their running mean where the run keeps one.
Tensor answering_theta(const checkpoint::Checkpoint& stored, const optim::ThetaLayout& layout);

}  // namespace outerloop::train
