#pragma once
// Small plots as SVG. Colours are CSS variables of the page (--c0 …), so one drawing serves light
// and dark screens.

#include <string>
#include <vector>

#include "report/ticks.h"

namespace outerloop::report {

struct Point {
  double x = 0;
  double y = 0;
  double low = 0;  // interval around y, for series that show one
  double high = 0;
};

// A curve. Points that are not finite leave a gap, intervals that are not finite are not drawn; a
// point that no line reaches becomes a dot.
struct Series {
  std::string name;  // written at its end; empty: not written
  std::vector<Point> points;
  int color = 0;  // place in the palette
  bool line = true;
  bool dots = false;
  bool band = false;      // fills low … high
  bool whiskers = false;  // a bar from low to high at each point
  bool dashed = false;
  bool end_values = false;  // writes the first and the last value above their points
};

// A histogram: touching bars, filled or in outline.
struct Bars {
  std::string name;
  std::vector<double> edges;    // one more than heights
  std::vector<double> heights;  // not negative
  int color = 0;
  bool filled = true;
};

// A straight line across the plot, with a word on it.
struct Rule {
  double at = 0;
  std::string label;
  bool vertical = true;
};

struct Axis {
  std::string label;
  Unit unit = Unit::number;
  bool logarithmic = false;
  bool whole_numbers = false;
  bool from_zero = false;
};

struct Plot {
  std::string about;  // what it shows, for those who cannot see it
  Axis x, y;
  std::vector<Series> series;
  std::vector<Bars> bars;  // with a legend above
  std::vector<Rule> rules;
};

std::string to_svg(const Plot& plot);

}  // namespace outerloop::report
