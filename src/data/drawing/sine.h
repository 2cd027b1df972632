#pragma once
// Sines by float32 operations that all machines round alike.

#include "outerloop/base/host_device.h"

namespace outerloop::data {

// amplitude * sin(frequency * x + phase)
struct Sine {
  float amplitude = 1;
  float frequency = 1;
  float phase = 0;
};

// Cody and Waite: x = k pi + r with |r| <= pi/2, pi in three floats; the first subtraction is exact
// for |k| < 2^12. Then an odd polynomial in r, fitted for least relative error (6.1e-9).
OL_BOTH float sine_of(float x) {
  const float round = 0x1.8p23F;  // adding it leaves the nearest integer in the low bits
  const float shifted = ol::fma(x, 0x1.45f306p-2F, round);
  const unsigned odd = ol::bits_of(shifted) << 31;
  const float k = shifted - round;
  float r = ol::fma(k, -0x1.921fb6p+1F, x);
  r = ol::fma(k, 0x1.777a5cp-24F, r);
  r = ol::fma(k, 0x1.ee59dap-49F, r);
  const float square = r * r;
  float series = 0x1.5db3acp-19F;
  series = ol::fma(series, square, -0x1.9f6f5p-13F);
  series = ol::fma(series, square, 0x1.110edp-7F);
  series = ol::fma(series, square, -0x1.55554cp-3F);
  const float sine = ol::fma(series * square, r, r);
  return ol::bits_f32(ol::bits_of(sine) ^ odd);
}

// y + the sine at x.
OL_BOTH float plus_sine(const Sine& sine, float x, float y) {
  return ol::fma(sine.amplitude, sine_of(ol::fma(sine.frequency, x, sine.phase)), y);
}

}  // namespace outerloop::data
