#pragma once
// Horizontal bars with whiskers, as SVG.

#include <optional>
#include <string>
#include <vector>

namespace outerloop::report {

struct Bar {
  std::string name;
  double value = 0;
  double low = 0;  // of the whisker; low = high: none
  double high = 0;
};

// From top to bottom; bars below zero point to the left. `about`: for those who cannot see it.
std::string bar_chart(const std::string& about, const std::string& axis,
                      const std::vector<Bar>& bars);

}  // namespace outerloop::report
