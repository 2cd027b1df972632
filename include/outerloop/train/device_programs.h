#pragma once
// What a training on a device runs there besides the learner's own programs.

#include "outerloop/config/config.h"
#include "outerloop/ir/program.h"

namespace outerloop::train {

// Inputs gradients (n, elements: as those of a layout), losses (n,) of n slots. Outputs counts
// (n,), 1 where loss and gradient are finite and 0 elsewhere; count (): their sum.
Program slot_counts_program(int64_t n, int64_t elements);

// A step of the outer optimiser with the mean gradient of `count` slots. Inputs sum (elements,) and
// count (), then those of optim::OuterPlan::update but its gradient. Outputs theta, state/<name>:
// after the step; as they were where the mean or anything that the step gives is not finite, or
// count is 0. made (): whether it was made, 1 or 0.
Program guarded_update_program(const config::Outer& config, int64_t elements);

}  // namespace outerloop::train
