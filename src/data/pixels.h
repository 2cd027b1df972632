#pragma once
// Bytes of images to floats, turned by multiples of 90 degrees.

#include <cstdint>
#include <span>

namespace outerloop::data {

// values[i] = pixels[i] / 255, one rounding.
void scale_pixels(std::span<const uint8_t> pixels, std::span<float> values);

// The same of a square image (size, size, channels), turned counter-clockwise by quarter_turns * 90
// degrees (as numpy.rot90). quarter_turns is 0 to 3.
void scale_turned(std::span<const uint8_t> pixels, int size, int channels, int quarter_turns,
                  std::span<float> values);

}  // namespace outerloop::data
