#pragma once
// Which inputs of a row a group has: the same in all rows, or by the lines of each row's drawing.

#include "interp/line_pieces.h"
#include "outerloop/interp/task_scorer.h"

namespace outerloop::interp {

class GroupInputs {
 public:
  // Refers to the scoring.
  explicit GroupInputs(const TaskScoring& scoring) : scoring_(scoring) {}

  // Before of(): the rows that it is asked about, without a group's values changed.
  void look_at(std::span<const float> rows);
  // Holds until the next look_at().
  RowInputs of(size_t group) const;

 private:
  const TaskScoring& scoring_;
  std::vector<std::vector<uint32_t>> inputs_;  // (group, row), of pieces
};

}  // namespace outerloop::interp
