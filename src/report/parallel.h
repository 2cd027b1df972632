#pragma once
// Parallel coordinates: an axis for each key, a line for each setting, the score at the right.

#include <string>

#include "outerloop/sweep/result.h"

namespace outerloop::report {

// SVG. Settings without a score are left out. The best setting is drawn last and strong.
std::string parallel_coordinates(const sweep::Table& table);

}  // namespace outerloop::report
