#include "outerloop/passes/access.h"

#include "outerloop/base/error.h"
#include "outerloop/ops/records.h"

namespace outerloop::passes {

AccessStrides broadcast_access(const Shape& operand, std::span<const int64_t> axes) {
  const AccessStrides dense = row_major_strides(operand);
  AccessStrides strides{};
  for (size_t i = 0; i < axes.size(); ++i) strides[static_cast<size_t>(axes[i])] = dense[i];
  return strides;
}

AccessStrides dense_access(const Shape& shape) {
  return row_major_strides(shape);
}

std::optional<std::vector<int64_t>> merged_strides(const Shape& iteration,
                                                   const AccessStrides& strides,
                                                   std::span<const int> runs) {
  std::vector<int64_t> merged;
  int axis = iteration.rank();
  for (size_t run = runs.size(); run-- > 0;) {
    int64_t base = 0;    // stride of the merged axis
    int64_t extent = 1;  // elements of the run walked so far, from the inside
    for (int i = 0; i < runs[run]; ++i) {
      --axis;
      if (iteration[axis] == 1) continue;
      const int64_t stride = strides[static_cast<size_t>(axis)];
      if (extent == 1) {
        base = stride;
      } else if (stride != base * extent) {
        return std::nullopt;
      }
      extent *= iteration[axis];
    }
    merged.insert(merged.begin(), base);
  }
  return merged;
}

std::vector<int> loop_runs(const Shape& shape, const Equation* head, const Equation* reduction) {
  const int rank = shape.rank();
  if (head != nullptr) {
    const bool batched = head->op == &ops::matmul;
    return batched ? std::vector{rank - 2, 1, 1} : std::vector{0, rank - 1, 1};
  }
  if (reduction == nullptr) {
    return rank == 0 ? std::vector{0} : std::vector<int>(static_cast<size_t>(rank), 1);
  }
  const auto split = reduction_split(shape, reduction->attributes.integers("axes"));
  OL_ASSERT(split.has_value(), "a fused reduction has one run of axes");
  if (split->inner == 1) return {split->first_axis, rank - split->first_axis};
  return {split->first_axis, split->axes, rank - split->first_axis - split->axes};
}

std::optional<ReductionSplit> reduction_split(const Shape& shape, std::span<const int64_t> axes) {
  ReductionSplit split;
  if (axes.empty()) return std::nullopt;
  split.first_axis = static_cast<int>(axes.front());
  split.axes = static_cast<int>(axes.size());
  for (size_t i = 0; i < axes.size(); ++i) {
    if (axes[i] != axes.front() + static_cast<int64_t>(i)) return std::nullopt;
  }
  for (int axis = 0; axis < shape.rank(); ++axis) {
    int64_t& part = axis < split.first_axis                ? split.outer
                    : axis < split.first_axis + split.axes ? split.reduced
                                                           : split.inner;
    part *= shape[axis];
  }
  return split;
}

}  // namespace outerloop::passes
