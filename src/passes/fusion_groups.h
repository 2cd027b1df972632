#pragma once
// Which equations may run as one kernel, and the grouping of a whole program.

#include <vector>

#include "outerloop/ir/program.h"

namespace outerloop::passes {

// Equations that share one loop over `shape`: pointwise ones, reductions that end the loop, and at
// most one contraction that heads it.
struct FusionGroup {
  std::vector<int32_t> members;  // equations, rising
  Shape shape;
  int32_t head = -1;       // the contraction
  int32_t reduction = -1;  // the first reduction
};

struct Fusion {
  std::vector<FusionGroup> groups;  // in an order in which they can run
  int64_t visits = 0;               // groups looked at on the way
};

// Constants are in no group: each user gets its own copy.
Fusion find_fusion_groups(const Program& program);

bool is_constant(const Equation& equation);

}  // namespace outerloop::passes
