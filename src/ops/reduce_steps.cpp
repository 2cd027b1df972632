#include <algorithm>

#include "outerloop/ops/reduce.h"

namespace outerloop {

std::vector<ReduceStep> reduce_steps(const Shape& shape, std::span<const int64_t> axes) {
  struct Group {
    int64_t extent;
    bool reduced;
  };
  std::vector<Group> groups;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] == 1) continue;
    const bool reduced = std::ranges::find(axes, axis) != axes.end();
    if (groups.empty() || groups.back().reduced != reduced) groups.push_back({1, reduced});
    groups.back().extent *= shape[axis];
  }
  std::vector<ReduceStep> steps;
  int64_t inner = 1;  // kept, already right of the current group
  for (size_t g = groups.size(); g-- > 0;) {
    if (!groups[g].reduced) {
      inner *= groups[g].extent;
      continue;
    }
    ReduceStep step{.reduced = groups[g].extent, .inner = inner};
    for (size_t left = 0; left < g; ++left) step.outer *= groups[left].extent;
    steps.push_back(step);
  }
  return steps;
}

}  // namespace outerloop
