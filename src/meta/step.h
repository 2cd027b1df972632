#pragma once
// What a learner gets while it writes one inner step, and the inputs that steps of one program
// share.

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "outerloop/meta/learner.h"
#include "outerloop/meta/plan.h"

namespace outerloop::meta {

// A task as values of a program; an invalid Expr where a program does not have that input.
struct Task {
  TaskShape shape;
  Expr support_x, support_y;
  Expr query_x, query_y;
};

// The inputs of a program that covers `steps` inner steps from `first_step` on. Inputs appear when
// they are asked for.
class ProgramInputs {
 public:
  ProgramInputs(Builder& builder, DType dtype, int64_t first_step, int64_t steps);

  Builder& builder() { return builder_; }
  DType dtype() const { return dtype_; }
  int64_t first_step() const { return first_step_; }
  int64_t steps() const { return steps_; }

  Expr shared(const std::string& name, const TensorType& type);
  Expr per_lane(const std::string& name, const TensorType& type);
  // Element `step` - first_step of the input schedule/<name>, whose values are f(first_step), ….
  Expr scheduled(std::string_view name, int64_t step, const std::function<double(int64_t)>& f);
  // The same for schedule/step: int32 (1,).
  Expr step_index(int64_t step);
  // What the inputs schedule/… must be given.
  const std::vector<Constant>& constants() const { return constants_; }

 private:
  Expr once(const std::string& name, const TensorType& type, Binding binding);

  Builder& builder_;
  DType dtype_;
  int64_t first_step_;
  int64_t steps_;
  std::map<std::string, Expr, std::less<>> inputs_;
  std::vector<Constant> constants_;
};

struct Mode {
  bool training = false;  // not evaluation: there are outer objectives
  bool dropout = false;   // there are dropout masks
  bool detached = false;  // inner gradients are constants (first order)
};

// int32 (4,); invalid: no dropout.
Expr dropout_key_of(ProgramInputs& inputs, const Mode& mode);

class Step {
 public:
  Step(ProgramInputs& inputs, const Task& task, int64_t number, Mode mode)
      : inputs_(inputs), task_(task), number_(number), mode_(mode) {}

  // k. Equations that depend on it make the step a program of its own.
  int64_t number() const { return number_; }
  // k as an int32 (1,) input: steps that use this stay one program.
  Expr index() const { return inputs_.step_index(number_); }
  // f(k) as a scalar input, computed in double, rounded once. Equal names mean equal functions.
  Expr scheduled(std::string_view name, const std::function<double(int64_t)>& f) const {
    return inputs_.scheduled(name, number_, f);
  }
  // The input hyper/<name>, set by the training loop.
  Expr hyper(std::string_view name, const Shape& shape) const;
  const Task& task() const { return task_; }
  // The rows of this step: the support set, or a minibatch of it.
  Expr batch_x() const { return batch(task_.support_x); }
  // Its targets or labels; the labels of a minibatch are one-hot rows (rows, ways).
  Expr batch_y() const;
  // As of dropout_key_of().
  Expr dropout_key() const;
  const Mode& mode() const { return mode_; }

 private:
  Expr batch(Expr rows) const;

  ProgramInputs& inputs_;
  const Task& task_;
  int64_t number_;
  Mode mode_;
};

// The query side of a task, answered after the step `last` (null: before any step).
struct Query {
  const Task& task;
  const Step* last = nullptr;
  Expr dropout_key;  // invalid: no dropout
};

// What `network` makes of the query rows, each in a batch with the support set, which it follows.
Expr beside_support(const Task& task, const std::function<Expr(Expr rows)>& network);

}  // namespace outerloop::meta
