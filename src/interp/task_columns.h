#pragma once
// Where the values of a task's score are.

#include "outerloop/interp/task_scorer.h"

namespace outerloop::interp {

// Decreases of one estimand at one step, (group, repeat, metric).
struct TaskPart {
  Estimand estimand = Estimand::query;
  int64_t step = 0;
  int64_t repeats = 1;
  size_t first = 0;  // column
};

class TaskColumns {
 public:
  // Of a learner that takes so many steps.
  TaskColumns(const TaskScoring& scoring, int64_t steps);

  const std::vector<TaskColumn>& all() const { return all_; }
  const std::vector<TaskPart>& parts() const { return parts_; }
  // Null where nobody asked for it.
  const TaskPart* part_of(Estimand estimand, int64_t step) const;

  // Of the first metric, the others follow.
  size_t place(const TaskPart& part, size_t group, int64_t repeat) const;
  // Of the first class, the others follow.
  size_t place_of_classes(size_t group) const;

 private:
  void add_part(const TaskScoring& scoring, Estimand estimand, int64_t step);

  std::vector<TaskColumn> all_;
  std::vector<TaskPart> parts_;
  size_t metrics_, classes_;
  size_t first_of_classes_ = 0;  // column
};

}  // namespace outerloop::interp
