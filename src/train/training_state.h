#pragma once
// What a checkpoint keeps of a training besides its arrays.

#include <cstdint>

#include "outerloop/checkpoint/checkpoint.h"

namespace outerloop::train {

struct TrainingState {
  int64_t iteration = 0;  // outer iterations done
  // Since the last line of metrics. Iterations without a finite task count nowhere.
  double window_loss = 0;
  double window_accuracy = 0;
  int64_t window_count = 0;
  int64_t nonfinite = 0;  // tasks left out, in the whole run
  // Validation: the higher the better.
  double best = 0;
  int64_t best_iteration = -1;
  int64_t without_improvement = 0;

  // One description for reading and writing.
  template <class Visitor>
  void visit(Visitor&& visitor) {
    visitor("iteration", iteration);
    visitor("window_loss", window_loss);
    visitor("window_accuracy", window_accuracy);
    visitor("window_count", window_count);
    visitor("nonfinite", nonfinite);
    visitor("best", best);
    visitor("best_iteration", best_iteration);
    visitor("without_improvement", without_improvement);
  }
};

void store_state(TrainingState state, checkpoint::Checkpoint& to);

// Throws BadInput when the checkpoint was not made by a training.
TrainingState read_state(const checkpoint::Checkpoint& from);

}  // namespace outerloop::train
