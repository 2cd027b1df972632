#pragma once
// The outer update: the mean of the slots' gradients, and one step of the optimiser with it. The
// threads make it (thread_update.h) or a device (device_update.h), with the same bits.

#include <cstdint>
#include <span>

#include "outerloop/comm/slot_tree.h"
#include "outerloop/config/config.h"
#include "outerloop/nn/parameter.h"
#include "outerloop/optim/outer.h"
#include "outerloop/train/theta.h"

namespace outerloop::train {

// Of a training that has not begun: the parameters' initial values and their optimiser's.
OuterState initial_state(const config::Config& config, const nn::ParameterSpecs& parameters,
                         const optim::ThetaLayout& layout);

// Of one training; nothing happens where the two are one.
void copy_state(const OuterState& from, OuterState& to);

// (layout.elements,): 1 where weight decay applies. Empty: nothing decays.
Tensor decaying_weights(const config::Outer& config, const nn::ParameterSpecs& parameters,
                        const optim::ThetaLayout& layout);

class OuterUpdate {
 public:
  virtual ~OuterUpdate() = default;

  // On the host, until the next apply() or set_state(). Theta keeps its place in memory.
  virtual const OuterState& state() = 0;
  // Copies; sizes must fit.
  virtual void set_state(const OuterState& state) = 0;

  // Finishes the tree of the slots' gradients and takes one step with their mean; `present`: how
  // many slots the tree has, at least one. Where the sum or anything that the step would give is
  // not finite, it returns false and the state stays as it was, the number of updates too. The
  // nodes' data lie where the update is made, and are overwritten.
  virtual bool apply(int64_t iteration, std::span<const comm::SlotNode> nodes, int64_t present) = 0;

  // Hashes each parameter with its part of the optimiser's state.
  virtual void hash_state(std::span<uint32_t> hashes) = 0;
};

}  // namespace outerloop::train
