#pragma once
// What the regression families share.

#include "outerloop/data/function_families.h"

namespace outerloop::data {

// Throws BadInput unless finite and low <= high.
void check_range(const char* name, const Range& range);

// Throws BadInput when sines of such arguments would be inexact.
void check_argument(float largest_argument);

float largest(const Range& range);  // of the absolute values

// (rows, 1) inputs and targets. Throws BadInput on more than one way.
EpisodeSpec function_spec(const EpisodeShape& shape);

}  // namespace outerloop::data
