#pragma once

#include "outerloop/sweep/plan.h"

namespace outerloop::sweep {

// Whether a worker is at the point.
bool is_leased(const SweepFolder& folder, const Point& point);

}  // namespace outerloop::sweep
