#pragma once
// Values as colours in a grid, as SVG: away from zero in two colours.

#include <string>
#include <vector>

namespace outerloop::report {

struct HeatMap {
  std::string about;  // for those who cannot see it
  size_t columns = 0;
  std::vector<double> values;             // (row, column)
  std::vector<std::string> row_names;     // written at the left; empty: not
  std::vector<std::string> column_names;  // written above, slanting; empty: not
  double cell_width = 28, cell_height = 28;
  std::string unit;  // of the values, in the tool tips
};

// The scale reaches the largest magnitude, which stands below the grid.
std::string heat_map(const HeatMap& map);

}  // namespace outerloop::report
