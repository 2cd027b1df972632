#include "interp/superpixels.h"

#include <algorithm>
#include <cmath>

namespace outerloop::interp {
namespace {

constexpr int kRounds = 10;           // as in the paper
constexpr double kLevels = 1000;      // of colour between the least and the greatest value
constexpr double kCompactness = 400;  // levels that weigh as much as a region's side

// Colours as whole numbers, so that sums of them are exact.
std::vector<double> levels_of(std::span<const float> image) {
  const auto [least, most] = std::ranges::minmax(image);
  const double range = static_cast<double>(most) - static_cast<double>(least);
  std::vector<double> levels;
  for (const float value : image) {
    const double from_least = static_cast<double>(value) - static_cast<double>(least);
    levels.push_back(range > 0 ? std::round(kLevels * from_least / range) : 0);
  }
  return levels;
}

struct Centre {
  double y = 0, x = 0;
  std::vector<double> colour;
};

class Slic {
 public:
  Slic(std::vector<double> levels, const ImageSize& size, int64_t count)
      : levels_(std::move(levels)),
        size_(size),
        side_(std::sqrt(static_cast<double>(size.pixels()) / static_cast<double>(count))),
        of_pixel_(static_cast<size_t>(size.pixels()), -1) {}

  std::vector<int32_t> run() {
    place_centres();
    for (int round = 0; round < kRounds; ++round) {
      assign();
      move_centres();
    }
    return connected();
  }

 private:
  void place_centres() {
    const auto along = [&](int64_t length) {
      return std::max<int64_t>(1, std::lround(static_cast<double>(length) / side_));
    };
    const int64_t rows = along(size_.height), columns = along(size_.width);
    const auto middle = [](int64_t i, int64_t parts, int64_t length) {
      return static_cast<double>((2 * i + 1) * length) / static_cast<double>(2 * parts) - 0.5;
    };
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < columns; ++c) {
        Centre& centre = centres_.emplace_back(
            Centre{middle(r, rows, size_.height), middle(c, columns, size_.width), {}});
        const auto pixel = std::llround(centre.y) * size_.width + std::llround(centre.x);
        const double* colour = colour_of(pixel);
        centre.colour.assign(colour, colour + size_.channels);
      }
    }
  }

  const double* colour_of(int64_t pixel) const { return &levels_[at(pixel * size_.channels)]; }
  static size_t at(int64_t i) { return static_cast<size_t>(i); }

  double distance(const Centre& centre, int64_t y, int64_t x) const {
    const double dy = static_cast<double>(y) - centre.y;
    const double dx = static_cast<double>(x) - centre.x;
    const double weight = kCompactness / side_;
    double sum = (dy * dy + dx * dx) * weight * weight;
    const double* colour = colour_of(y * size_.width + x);
    for (size_t c = 0; c < centre.colour.size(); ++c) {
      const double d = colour[c] - centre.colour[c];
      sum += d * d;
    }
    return sum;
  }

  // Each pixel to the nearest centre among those at most two sides away; the first of equals.
  void assign() {
    std::vector<double> nearest(of_pixel_.size(), INFINITY);
    const auto low = [&](double middle) {
      return std::max<int64_t>(0, static_cast<int64_t>(std::ceil(middle - 2 * side_)));
    };
    const auto high = [&](double middle, int64_t length) {
      return std::min(length, static_cast<int64_t>(std::floor(middle + 2 * side_)) + 1);
    };
    for (size_t i = 0; i < centres_.size(); ++i) {
      const Centre& centre = centres_[i];
      for (int64_t y = low(centre.y); y < high(centre.y, size_.height); ++y) {
        for (int64_t x = low(centre.x); x < high(centre.x, size_.width); ++x) {
          const size_t pixel = at(y * size_.width + x);
          const double d = distance(centre, y, x);
          if (!(d < nearest[pixel])) continue;
          nearest[pixel] = d;
          of_pixel_[pixel] = static_cast<int32_t>(i);
        }
      }
    }
  }

  // To the mean of their pixels.
  void move_centres() {
    std::vector<double> counts(centres_.size());
    std::vector<Centre> sums(centres_.size(), {0, 0, std::vector<double>(at(size_.channels))});
    for (int64_t pixel = 0; pixel < size_.pixels(); ++pixel) {
      const size_t i = at(of_pixel_[at(pixel)]);
      counts[i] += 1;
      sums[i].y += static_cast<double>(pixel / size_.width);
      sums[i].x += static_cast<double>(pixel % size_.width);
      for (size_t c = 0; c < sums[i].colour.size(); ++c) sums[i].colour[c] += colour_of(pixel)[c];
    }
    for (size_t i = 0; i < centres_.size(); ++i) {
      if (counts[i] == 0) continue;
      centres_[i] = {sums[i].y / counts[i], sums[i].x / counts[i], std::move(sums[i].colour)};
      for (double& colour : centres_[i].colour) colour /= counts[i];
    }
  }

  // Connected parts in reading order; what is smaller than a quarter of a region joins the part
  // before it.
  std::vector<int32_t> connected() const {
    std::vector<int32_t> parts(of_pixel_.size(), -1);
    const auto smallest = static_cast<size_t>(side_ * side_ / 4);
    int32_t next = 0;
    for (int64_t pixel = 0; pixel < size_.pixels(); ++pixel) {
      if (parts[at(pixel)] >= 0) continue;
      int32_t before = -1;
      for (const int64_t other : neighbours(pixel)) {
        if (parts[at(other)] >= 0) before = parts[at(other)];
      }
      const std::vector<int64_t> part = fill(pixel, next, parts);
      if (part.size() >= smallest || before < 0) {
        ++next;
        continue;
      }
      for (const int64_t scrap : part) parts[at(scrap)] = before;
    }
    return parts;
  }

  std::vector<int64_t> fill(int64_t start, int32_t number, std::vector<int32_t>& parts) const {
    std::vector<int64_t> part{start};
    parts[at(start)] = number;
    for (size_t i = 0; i < part.size(); ++i) {
      for (const int64_t other : neighbours(part[i])) {
        if (parts[at(other)] >= 0 || of_pixel_[at(other)] != of_pixel_[at(start)]) continue;
        parts[at(other)] = number;
        part.push_back(other);
      }
    }
    return part;
  }

  std::vector<int64_t> neighbours(int64_t pixel) const {
    const int64_t x = pixel % size_.width;
    std::vector<int64_t> all;
    if (x > 0) all.push_back(pixel - 1);
    if (pixel >= size_.width) all.push_back(pixel - size_.width);
    if (x + 1 < size_.width) all.push_back(pixel + 1);
    if (pixel + size_.width < size_.pixels()) all.push_back(pixel + size_.width);
    return all;
  }

  std::vector<double> levels_;
  ImageSize size_;
  double side_;  // of a region, pixels
  std::vector<Centre> centres_;
  std::vector<int32_t> of_pixel_;  // its centre
};

}  // namespace

std::vector<int32_t> superpixels(std::span<const float> image, const ImageSize& size,
                                 int64_t count) {
  return Slic(levels_of(image), size, count).run();
}

}  // namespace outerloop::interp
