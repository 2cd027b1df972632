#pragma once
// Extents and strides at plan time.

#include <algorithm>
#include <span>
#include <vector>

#include "exec/plan/specs.h"

namespace outerloop::exec {

// Of the axes [first, end).
inline int64_t product(const Shape& shape, int first, int end) {
  int64_t result = 1;
  for (int axis = first; axis < end; ++axis) result *= shape[axis];
  return result;
}

// Row-major, one per axis.
inline std::vector<int64_t> dense_strides(const Shape& shape) {
  const auto all = row_major_strides(shape);
  return {all.begin(), all.begin() + shape.rank()};
}

// The same list with zeros behind it.
inline LoopStrides loop_strides(std::span<const int64_t> strides) {
  LoopStrides result{};
  std::ranges::copy(strides, result.begin());
  return result;
}

}  // namespace outerloop::exec
