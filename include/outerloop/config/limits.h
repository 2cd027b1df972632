#pragma once
// What the reader of configs refuses and the task families rely on.

namespace outerloop::config {

// The families' sine is exact to 2 units in the last place up to this argument.
inline constexpr float kMaxSineArgument = 8192.0F;
// No draw of a normal variable lies further out: inversion of what is 2^-53 or more off 0 and 1
// stays below 8.3.
inline constexpr float kFurthestNormal = 9.0F;

// R2D2's ridge strength starts at this or above, and counts as this where learning takes it below.
inline constexpr double kLeastRidge = 1e-6;

}  // namespace outerloop::config
