#pragma once
// The rules for d loss / d theta, as what happens between the end of the inner loop and the reverse
// sweep over its steps.

#include "meta/segment.h"

namespace outerloop::meta {

// The reverse sweep ends at this step's state, whose cotangent is handed to init(theta).
int64_t boundary_of(const Learner& learner);
// Inner gradients are constants.
bool detaches(const Learner& learner);

// Writes the outer objective and its metrics; gives its cotangents at the state after the last
// step, as the learner's rule has them.
Cotangents end_of_loop(Segment& segment);

// One file each.
Cotangents end_by_query_loss(Segment& segment);  // exact, first_order
Cotangents end_by_implicit_solve(Segment& segment);
Cotangents end_by_reptile(Segment& segment);

// Outputs loss and, for classification, accuracy.
void output_metrics(Segment& segment, const Objective& objective);
// The learner's own objective, or the loss of its answers.
Objective objective_of(Segment& segment);

}  // namespace outerloop::meta
