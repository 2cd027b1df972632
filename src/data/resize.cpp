// Pillow's resampling (src/libImaging/Resample.c, HPND licence) told again: the same coefficients,
// the same fixed point, the same order of passes, so that both give the same grey levels.

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "outerloop/data/image_file.h"

namespace outerloop::data {
namespace {

constexpr int kPrecisionBits = 22;
constexpr double kLanczosWidth = 3.0;

double sinc(double x) {
  if (x == 0) return 1;
  const double angle = x * std::numbers::pi;
  return std::sin(angle) / angle;
}

double lanczos(double x) {
  return -kLanczosWidth <= x && x < kLanczosWidth ? sinc(x) * sinc(x / kLanczosWidth) : 0;
}

// The input pixels that one output pixel is made of.
struct Taps {
  int first = 0;
  std::vector<int> weights;  // fixed point
};

std::vector<Taps> taps_of(int input, int output) {
  const double scale = static_cast<double>(input) / output;
  const double widening = std::max(scale, 1.0);
  const double support = kLanczosWidth * widening;
  std::vector<Taps> taps(static_cast<size_t>(output));
  for (int x = 0; x < output; ++x) {
    const double centre = (x + 0.5) * scale;
    const int first = std::max(static_cast<int>(centre - support + 0.5), 0);
    const int last = std::min(static_cast<int>(centre + support + 0.5), input);
    std::vector<double> weights;
    double sum = 0;
    for (int i = first; i < last; ++i) {
      weights.push_back(lanczos((i - centre + 0.5) / widening));
      sum += weights.back();
    }
    Taps& tap = taps[static_cast<size_t>(x)];
    tap.first = first;
    for (const double weight : weights) {
      const double fixed = weight / sum * (1 << kPrecisionBits);
      tap.weights.push_back(static_cast<int>(fixed < 0 ? fixed - 0.5 : fixed + 0.5));
    }
  }
  return taps;
}

uint8_t to_level(int fixed) {
  return static_cast<uint8_t>(std::clamp(fixed >> kPrecisionBits, 0, 255));
}

// One output row or column element: values lie `stride` apart.
uint8_t weighted(const Taps& tap, const uint8_t* values, size_t stride) {
  int sum = 1 << (kPrecisionBits - 1);
  const uint8_t* value = values + static_cast<size_t>(tap.first) * stride;
  for (const int weight : tap.weights) {
    sum += *value * weight;
    value += stride;
  }
  return to_level(sum);
}

Image resize_width(const Image& image, int width) {
  Image result{image.height, width, image.channels, {}};
  const auto channels = static_cast<size_t>(image.channels);
  const std::vector<Taps> taps = taps_of(image.width, width);
  result.pixels.reserve(static_cast<size_t>(image.height) * taps.size() * channels);
  for (size_t y = 0; y < static_cast<size_t>(image.height); ++y) {
    const uint8_t* row = image.pixels.data() + y * static_cast<size_t>(image.width) * channels;
    for (const Taps& tap : taps) {
      for (size_t c = 0; c < channels; ++c) {
        result.pixels.push_back(weighted(tap, row + c, channels));
      }
    }
  }
  return result;
}

Image resize_height(const Image& image, int height) {
  Image result{height, image.width, image.channels, {}};
  const auto row = static_cast<size_t>(image.width) * static_cast<size_t>(image.channels);
  const std::vector<Taps> taps = taps_of(image.height, height);
  result.pixels.reserve(taps.size() * row);
  for (const Taps& tap : taps) {
    for (size_t x = 0; x < row; ++x) {
      result.pixels.push_back(weighted(tap, image.pixels.data() + x, row));
    }
  }
  return result;
}

}  // namespace

Image resize_lanczos(const Image& image, int height, int width) {
  Image result = image.width == width ? image : resize_width(image, width);
  return result.height == height ? result : resize_height(result, height);
}

}  // namespace outerloop::data
