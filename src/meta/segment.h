#pragma once
// Writes the program of some consecutive inner steps and pulls cotangents back through them.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "meta/step.h"

namespace outerloop::meta {

using ValueTypes = std::vector<std::pair<std::string, TensorType>>;
ValueTypes types_of(const Values& values);

// A program being written: steps first … end - 1 of a learner. Enter, run the steps, differentiate
// or write outputs, finish.
class Segment {
 public:
  Segment(const Learner& learner, const TaskShape& shape, DType dtype, Mode mode, int64_t first,
          int64_t end);

  // phi before the first step: init(theta), or inputs of these types.
  void enter_at_start();
  void enter(const ValueTypes& state);
  void run_steps();
  // phi after the steps, which other programs have run: inputs of these types.
  void enter_at_end(const ValueTypes& state);

  Builder& builder() { return builder_; }
  ProgramInputs& inputs() { return inputs_; }
  const Learner& learner() const { return learner_; }
  const Task& task() const { return task_; }
  const Values& theta() const { return theta_; }
  int64_t first() const { return inputs_.first_step(); }
  int64_t end() const { return inputs_.first_step() + inputs_.steps(); }
  Mode mode() const { return mode_; }
  // phi after `steps` steps of the learner, first() <= steps <= end().
  const Values& state(int64_t steps) const { return states_[index(steps)]; }
  const StepResult& last_result() const { return results_.back(); }
  bool has_steps() const { return !results_.empty(); }
  // The query side at the end of the segment.
  Query query();

  // Outputs <prefix>/<name>.
  void output(const std::string& prefix, const Values& values);
  // Inputs <prefix>/<name>, per lane.
  Values input(const std::string& prefix, const ValueTypes& types);
  // Verified, without what no output needs.
  Call finish();

 private:
  size_t index(int64_t steps) const { return static_cast<size_t>(steps - first()); }

  const Learner& learner_;
  Mode mode_;
  Builder builder_;
  ProgramInputs inputs_;
  Task task_;
  Values theta_;
  std::vector<Values> states_;
  std::vector<Step> steps_;
  std::vector<StepResult> results_;
};

// d loss / d theta and d loss / d state, zeros left out.
struct Cotangents {
  Values theta;
  Values state;
};

// One step of the reverse sweep: from cotangents of `outputs` to those of theta and of the state
// that the outputs were computed from. State values that are meta-parameters themselves count as
// theta.
Cotangents pull_back(Builder& builder, const Values& outputs, const Values& cotangents,
                     const Values& theta, const Values& state);

void add_to(Values& sums, const Values& terms);

}  // namespace outerloop::meta
