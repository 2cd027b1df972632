#pragma once
// Regression families on the line: support_x, query_x (rows, 1), targets (rows, 1).

#include <memory>

#include "outerloop/config/limits.h"
#include "outerloop/data/family.h"
#include "outerloop/data/range.h"

namespace outerloop::data {

// y = amplitude * sin(x - phase), uniform in the ranges (Finn et al. 2017, section 5.1).
struct SinusoidOptions {
  Range amplitude = {0.1F, 5.0F};
  Range phase = {0.0F, 3.14159265F};
  Range x = {-5.0F, 5.0F};
};

// y = a1 sin(f x + b1) + a2 sin(2 f x + b2), x ~ N(centre, 1), a1, a2 ~ N(0, 1), the rest uniform
// (Lacoste et al. 2018, as in torchmeta's Harmonic).
struct HarmonicOptions {
  Range centre = {-4.0F, 4.0F};
  Range frequency = {5.0F, 7.0F};
  Range phase = {0.0F, 6.28318531F};
  float noise = 0.0F;  // standard deviation added to the targets
};

// Throw BadInput on a shape of more than one way, an empty or non-finite range, or ranges that
// leave the sine's domain (|argument| <= kMaxSineArgument).
std::unique_ptr<TaskFamily> make_sinusoid(const EpisodeShape& shape,
                                          const SinusoidOptions& options = {});
std::unique_ptr<TaskFamily> make_harmonic(const EpisodeShape& shape,
                                          const HarmonicOptions& options = {});

inline constexpr float kMaxSineArgument = config::kMaxSineArgument;

}  // namespace outerloop::data
