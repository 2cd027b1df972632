#pragma once
// What a training on a device runs there besides the learner's own programs.

#include "outerloop/comm/slot_reduction.h"
#include "outerloop/config/config.h"
#include "outerloop/ir/program.h"

namespace outerloop::train {

// Inputs gradients (n, elements), losses (n,) of the n slots. Outputs counts (n,), 1 where loss and
// gradient are finite and 0 elsewhere; sum/<i> (elements,) and present/<i> (1, 1) of root i of
// comm::subtree_roots(slots).
Program slot_sums_program(const comm::Range& slots, int64_t elements);

// The same for slots 0 … n - 1 that are all there are. Outputs counts; sum (elements,), that of the
// whole tree (comm::finish_tree); count (): how many slots it has.
Program slot_total_program(int64_t n, int64_t elements);

// A step of the outer optimiser with the mean gradient of `count` slots. Inputs sum (elements,) and
// count (), then those of optim::OuterPlan::update but its gradient. Outputs theta, state/<name>:
// after the step; as they were where the mean or anything that the step gives is not finite, or
// count is 0. made (): whether it was made, 1 or 0.
Program guarded_update_program(const config::Outer& config, int64_t elements);

}  // namespace outerloop::train
