#pragma once
// The canonical decomposition of a reduction: the one order in which sums over any axes are done
// (outerloop/tensor/ordered.h). The oracle and the executors follow it step by step.

#include <cstdint>
#include <span>
#include <vector>

#include "outerloop/tensor/shape.h"

namespace outerloop {

// The input, row-major (outer, reduced, inner), gives (outer, inner). inner == 1: elements are
// contiguous, kContiguousWays accumulators; otherwise rows, kRowWays accumulators per column.
struct ReduceStep {
  int64_t outer = 1, reduced = 1, inner = 1;
  bool contiguous() const { return inner == 1; }
  bool operator==(const ReduceStep&) const = default;
};

// Axes of extent 1 are dropped, neighbours that are both reduced or both kept are merged, then each
// group of reduced axes is one step, the innermost group first. No step: the values are copied.
// Axes are non-negative and rising.
std::vector<ReduceStep> reduce_steps(const Shape& shape, std::span<const int64_t> axes);

}  // namespace outerloop
