#pragma once
// Sums of sines over vectors: the same bits on every instruction set.

#include <span>

#include "data/drawing/sine.h"

namespace outerloop::data {

// y[i] = fma(amplitude, sin(fma(frequency, x[i], phase)), y[i]). The sine is within 2 units in the
// last place for arguments up to kMaxSineArgument. x and y are of one size.
using SineKernel = void (*)(const Sine& sine, std::span<const float> x, std::span<float> y);

void add_sine_base(const Sine& sine, std::span<const float> x, std::span<float> y);
void add_sine_avx2(const Sine& sine, std::span<const float> x, std::span<float> y);

// The fastest that this processor runs.
void add_sine(const Sine& sine, std::span<const float> x, std::span<float> y);

}  // namespace outerloop::data
