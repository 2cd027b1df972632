#pragma once

#include "outerloop/meta/learner.h"

namespace outerloop::meta {

// Throws BadInput where the learner cannot work on tasks of this shape or take so many steps.
void check_task(const Learner& learner, const TaskShape& shape, int64_t steps);

}  // namespace outerloop::meta
