#pragma once
// Values of regions of an image as colours over it, as SVG: away from zero in two colours.

#include <cstdint>
#include <string>
#include <vector>

namespace outerloop::report {

struct RegionMap {
  std::string about;  // for those who cannot see it
  int64_t height = 0, width = 0;
  std::vector<int32_t> regions;    // of each pixel, row by row; -1: none
  std::vector<double> values;      // of each region
  std::vector<double> halves;      // of each value's band, in the tool tips; 0: none
  std::vector<std::string> names;  // of each region, in the tool tips
  std::string background;          // URL of the image, or empty
  double side = 280;               // of the longer side on the page, pixels
  double most = 0;                 // magnitude of the full colour; 0: the largest
  std::string unit;                // of the values, in the tool tips
};

// Regions keep their outlines. The scale reaches the largest magnitude, which stands below.
std::string region_map(const RegionMap& map);

}  // namespace outerloop::report
