#pragma once
// What the adapted model reads in each class of images, and images to show it on.

#include "interp/run_importance_impl.h"

namespace outerloop::interp {

// Fills classes, image, patch and mean_image from the round that all groups are in. Nothing for
// other families than images.
void add_classes(const RunProblem& problem, const DoneRound& round, RunImportance& result);

}  // namespace outerloop::interp
