#pragma once
// Groups of pixels of a run's images.

#include "interp/run_importance_impl.h"

namespace outerloop::interp {

// As the spec asks: squares, superpixels or pieces of lines. Sets the problem's regions, or its
// scoring's lines. Throws BadInput on what the images do not have.
std::vector<FeatureGroup> pixel_groups(RunProblem& problem);

}  // namespace outerloop::interp
