#pragma once

#include <span>

namespace outerloop::train {

// Whether no element is infinite or NaN.
bool all_finite(std::span<const float> values);

}  // namespace outerloop::train
