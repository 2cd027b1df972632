#include "report/heat_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/html.h"
#include "report/plot_frame.h"

namespace outerloop::report {
namespace {

constexpr double kSlope = 0.7;  // of slanting names: their height over their length

double longest(const std::vector<std::string>& names) {
  double width = 0;
  for (const std::string& name : names) width = std::max(width, text_width(name));
  return width;
}

}  // namespace

std::string heat_map(const HeatMap& map) {
  const size_t rows = map.columns == 0 ? 0 : map.values.size() / map.columns;
  double most = 0;
  for (const double value : map.values) most = std::max(most, std::abs(value));
  const double left = map.row_names.empty() ? 0 : longest(map.row_names) + 8;
  const double slant = map.column_names.empty() ? 0 : longest(map.column_names) * kSlope + 10;
  const double top = map.column_names.empty() ? 0 : slant + 8;
  const std::string scale = fmt::format("full colour: {:.3g} {}", most, map.unit);
  const double grid = static_cast<double>(map.columns) * map.cell_width + slant;
  const double width = left + std::max(grid, text_width(scale));
  const double height = top + static_cast<double>(rows) * map.cell_height + 20;
  std::string svg = fmt::format(
      "<svg class=\"plot\" viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"{}\" "
      "style=\"max-width:{:.0f}px\">\n",
      width, height, escape(map.about), 1.2 * width);
  for (size_t c = 0; c < map.column_names.size(); ++c) {
    const double x = left + (static_cast<double>(c) + 0.5) * map.cell_width;
    svg += fmt::format(
        "<text x=\"{0:.1f}\" y=\"{1:.1f}\" transform=\"rotate(-45 {0:.1f} {1:.1f})\">{2}</text>\n",
        x, top - 6, escape(map.column_names[c]));
  }
  for (size_t r = 0; r < rows; ++r) {
    const double y = top + static_cast<double>(r) * map.cell_height;
    if (r < map.row_names.size()) {
      svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n",
                         left - 6, y + map.cell_height / 2 + 4, escape(map.row_names[r]));
    }
    for (size_t c = 0; c < map.columns; ++c) {
      const double value = map.values[r * map.columns + c];
      const double strength = most > 0 ? std::abs(value) / most : 0;
      svg += fmt::format(
          "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" "
          "style=\"fill:var(--c{})\" fill-opacity=\"{:.3f}\"><title>{:.4g} {}</title></rect>\n",
          left + static_cast<double>(c) * map.cell_width, y, map.cell_width, map.cell_height,
          value < 0 ? 1 : 0, strength, value, escape(map.unit));
    }
  }
  svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n</svg>\n", left, height - 5,
                     escape(scale));
  return svg;
}

}  // namespace outerloop::report
