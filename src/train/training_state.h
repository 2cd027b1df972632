#pragma once
// What a checkpoint keeps of a training besides its arrays.

#include <cstdint>
#include <string>
#include <vector>

#include "outerloop/checkpoint/checkpoint.h"
#include "outerloop/meta/learner.h"

namespace outerloop::train {

// Sums of a learner's measure over iterations.
struct MeasureSums {
  std::string name;
  double window = 0;  // since the last line of metrics
  double run = 0;
};

struct TrainingState {
  int64_t iteration = 0;  // outer iterations done
  // Since the last line of metrics. Iterations without a finite task count nowhere.
  double window_loss = 0;
  double window_accuracy = 0;
  int64_t window_count = 0;
  int64_t nonfinite = 0;  // tasks left out, in the whole run
  std::vector<MeasureSums> measures;
  int64_t measured = 0;  // iterations in the sums of the run
  // Validation: the higher the better.
  double best = 0;
  int64_t best_iteration = -1;
  int64_t without_improvement = 0;
  // 1: the last iteration was validated though no validation was due there. A run that is made
  // longer goes on from what was known before that.
  int64_t validated_at_end = 0;
  double best_before_end = 0;
  int64_t best_iteration_before_end = 0;
  int64_t without_improvement_before_end = 0;
  // 1: stopped in the validation of this iteration, which is to be made when the run goes on.
  int64_t owes_validation = 0;

  // Before a validation of the last iteration that was not due.
  void remember_before_end() {
    validated_at_end = 1;
    best_before_end = best;
    best_iteration_before_end = best_iteration;
    without_improvement_before_end = without_improvement;
  }
  // Of a run that is made longer; `is_due`: whether this iteration has a validation all the same.
  void forget_end(bool is_due) {
    if (!is_due) owes_validation = 0;
    if (validated_at_end == 0) return;
    best = best_before_end;
    best_iteration = best_iteration_before_end;
    without_improvement = without_improvement_before_end;
    validated_at_end = 0;
    best_before_end = 0;
    best_iteration_before_end = without_improvement_before_end = 0;
  }

  // One description for reading and writing.
  template <class Visitor>
  void visit(Visitor&& visitor) {
    visitor("iteration", iteration);
    visitor("window_loss", window_loss);
    visitor("window_accuracy", window_accuracy);
    visitor("window_count", window_count);
    visitor("nonfinite", nonfinite);
    for (MeasureSums& measure : measures) {
      visitor.added("window_" + measure.name, measure.window);
      visitor.added("run_" + measure.name, measure.run);
    }
    if (!measures.empty()) visitor.added("measured", measured);
    visitor("best", best);
    visitor("best_iteration", best_iteration);
    visitor("without_improvement", without_improvement);
    visitor.added("owes_validation", owes_validation);
    visitor.added("validated_at_end", validated_at_end);
    visitor.added("best_before_end", best_before_end);
    visitor.added("best_iteration_before_end", best_iteration_before_end);
    visitor.added("without_improvement_before_end", without_improvement_before_end);
  }
};

void store_state(TrainingState state, checkpoint::Checkpoint& to);

// At the start of a learner's training.
TrainingState starting_state(const meta::Learner& learner);
// Of a stored training of this learner. Throws BadInput when the checkpoint was not made by one.
TrainingState read_state(const checkpoint::Checkpoint& from, const meta::Learner& learner);

}  // namespace outerloop::train
