#include "report/region_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/html.h"
#include "report/plot_frame.h"

namespace outerloop::report {
namespace {

constexpr double kPale = 0.5;        // of the image
constexpr double kOpaque = 0.65;     // the image shows through
constexpr double kScaleHeight = 24;  // for the scale

class Regions {
 public:
  explicit Regions(const RegionMap& map) : map_(map) {}

  // The pixels of a region, a rectangle for each run in a row.
  std::string area(int32_t region) const {
    std::string path;
    for (int64_t y = 0; y < map_.height; ++y) {
      for (int64_t x = 0; x < map_.width;) {
        int64_t end = x;
        while (end < map_.width && at(y, end) == region) ++end;
        if (end > x) path += fmt::format("M{} {}h{}v1h-{}z", x, y, end - x, end - x);
        x = end + 1;
      }
    }
    return path;
  }

  // Edges between pixels of different regions, a line for each run of them.
  std::string outlines() const {
    std::string path;
    for (int64_t y = 0; y <= map_.height; ++y) {
      runs(
          map_.width, [&](int64_t x) { return at(y - 1, x) != at(y, x); },
          [&](int64_t from, int64_t to) { path += fmt::format("M{} {}H{}", from, y, to); });
    }
    for (int64_t x = 0; x <= map_.width; ++x) {
      runs(
          map_.height, [&](int64_t y) { return at(y, x - 1) != at(y, x); },
          [&](int64_t from, int64_t to) { path += fmt::format("M{} {}V{}", x, from, to); });
    }
    return path;
  }

 private:
  // -1 outside.
  int32_t at(int64_t y, int64_t x) const {
    const bool is_inside = y >= 0 && y < map_.height && x >= 0 && x < map_.width;
    return is_inside ? map_.regions[static_cast<size_t>(y * map_.width + x)] : -1;
  }

  template <class Test, class Draw>
  static void runs(int64_t length, Test is_edge, Draw draw) {
    for (int64_t i = 0; i < length;) {
      int64_t end = i;
      while (end < length && is_edge(end)) ++end;
      if (end > i) draw(i, end);
      i = end + 1;
    }
  }

  const RegionMap& map_;
};

}  // namespace

std::string region_map(const RegionMap& map) {
  double most = map.most;
  for (size_t r = 0; map.most == 0 && r < map.values.size(); ++r) {
    most = std::max(most, std::abs(map.values[r]));
  }
  const double scale = map.side / static_cast<double>(std::max(map.height, map.width));
  const double height = scale * static_cast<double>(map.height);
  const double drawn = scale * static_cast<double>(map.width);
  const std::string legend = fmt::format("full colour: {:.3g} {}", most, map.unit);
  const double width = std::max(drawn, text_width(legend));
  std::string svg = fmt::format(
      "<svg class=\"plot\" viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"{}\" "
      "style=\"max-width:{:.0f}px\">\n",
      width + 2, height + kScaleHeight, escape(map.about), width);
  if (!map.background.empty()) {
    // White paper and the colours for it in any scheme; the image pale, so that they show on ink.
    svg += fmt::format(
        "<g class=\"on-paper\">\n<rect x=\"1\" y=\"1\" width=\"{1:.1f}\" height=\"{2:.1f}\" "
        "fill=\"#ffffff\"/>\n"
        "<image href=\"{0}\" opacity=\"{3}\" x=\"1\" y=\"1\" width=\"{1:.1f}\" height=\"{2:.1f}\" "
        "preserveAspectRatio=\"none\" style=\"image-rendering:pixelated\"/>\n",
        map.background, drawn, height, kPale);
  }
  svg += fmt::format(
      "<g transform=\"translate(1 1) scale({:.4f})\" shape-rendering=\"crispEdges\">\n", scale);
  const double opaque = map.background.empty() ? 1 : kOpaque;
  const Regions regions(map);
  for (size_t r = 0; r < map.values.size(); ++r) {
    const std::string area = regions.area(static_cast<int32_t>(r));
    if (area.empty()) continue;
    const double strength = most > 0 ? std::abs(map.values[r]) / most : 0;
    const bool has_band = r < map.halves.size() && map.halves[r] > 0;
    const std::string band = has_band ? fmt::format(" ± {:.2g}", map.halves[r]) : "";
    svg += fmt::format(
        "<path d=\"{}\" style=\"fill:var(--c{})\" fill-opacity=\"{:.3f}\"><title>{}: {:.4g}{} {}"
        "</title></path>\n",
        area, map.values[r] < 0 ? 1 : 0, opaque * strength, escape(map.names[r]), map.values[r],
        band, escape(map.unit));
  }
  svg += fmt::format("<path class=\"outline\" d=\"{}\"/>\n</g>\n{}", regions.outlines(),
                     map.background.empty() ? "" : "</g>\n");
  svg += fmt::format("<text x=\"1\" y=\"{:.1f}\">{}</text>\n</svg>\n", height + kScaleHeight - 6,
                     escape(legend));
  return svg;
}

}  // namespace outerloop::report
