#pragma once
// Superpixels: SLIC (Achanta et al., "SLIC superpixels compared to state-of-the-art superpixel
// methods", 2012): k-means over colour and place, each centre within its neighbourhood alone, then
// scraps join a neighbour. Without the paper's shift of the first centres away from edges.

#include <cstdint>
#include <span>
#include <vector>

namespace outerloop::interp {

struct ImageSize {
  int64_t height = 0, width = 0, channels = 1;
  int64_t pixels() const { return height * width; }
};

// Of each pixel, row by row, its region: connected, numbered from 0 in reading order, about `count`
// of them. `image` is (height, width, channels) of any scale. The same regions on every machine.
std::vector<int32_t> superpixels(std::span<const float> image, const ImageSize& size,
                                 int64_t count);

}  // namespace outerloop::interp
