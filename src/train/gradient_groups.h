#pragma once
// The groups of parameters whose gradients travel together, and when each is final in a lane's way
// through its plan.

#include <vector>

#include "outerloop/comm/slot_reduction.h"
#include "train/compiled_plan.h"

namespace outerloop::train {

constexpr int64_t kMostGroups = 8;
constexpr int64_t kLeastGroup = int64_t{1} << 14;  // elements

// Element ranges, rising and without gaps, that end where parameters end: not many, and none so
// small that its message would be all latency.
std::vector<comm::Range> parameter_groups(const optim::ThetaLayout& layout);

// So many kernel calls of the lane's call number `call` have run.
struct Milestone {
  size_t call = 0;
  size_t steps = 0;
};

struct FinalGroup {
  size_t group = 0;  // place among the groups
  comm::Range elements;
  Milestone when;  // loss and gradients of this group, and of those before it, are final
};

// By when they are final. The order follows from the programs, not from how a processor runs them:
// it is the same on all ranks.
std::vector<FinalGroup> order_of_groups(const CompiledGradientPlan& plan,
                                        const optim::ThetaLayout& layout,
                                        std::span<const comm::Range> groups);

}  // namespace outerloop::train
