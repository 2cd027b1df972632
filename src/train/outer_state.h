#pragma once
// The outer loop's state in checkpoints, and from rank to rank.

#include <filesystem>

#include "outerloop/checkpoint/checkpoint.h"
#include "outerloop/comm/communicator.h"
#include "outerloop/optim/outer.h"
#include "outerloop/train/theta.h"
#include "train/training_state.h"

namespace outerloop::train {

void store_outer_state(const OuterState& state, const optim::ThetaLayout& layout,
                       checkpoint::Checkpoint& to);

// Of a training whose optimiser's state has the names and sizes of `like`. Throws BadInput, which
// names `source`, when the checkpoint lacks some of it.
OuterState read_outer_state(const checkpoint::Checkpoint& from, const OuterState& like,
                            const optim::ThetaLayout& layout, const std::filesystem::path& source);

// The learner's test-time meta-parameters: their running mean where the run keeps one.
const Tensor& test_theta(const OuterState& state);

// Collective: gives the root's states to every rank. All bring states of the same sizes.
void broadcast_state(comm::Communicator& ranks, OuterState& outer, TrainingState& training,
                     int root);

}  // namespace outerloop::train
