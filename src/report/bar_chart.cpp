#include "report/bar_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/html.h"
#include "report/plot_frame.h"
#include "report/ticks.h"

namespace outerloop::report {
namespace {

constexpr double kRow = 26;
constexpr double kThickness = 16;
constexpr double kFoot = 44;
constexpr size_t kLongestName = 28;  // characters shown

// The front of a long name.
std::string shortened(const std::string& name) {
  if (name.size() <= kLongestName) return name;
  size_t end = kLongestName - 1;
  while (end > 0 && (name[end] & 0xC0) == 0x80) --end;  // not within a character
  return name.substr(0, end) + "…";
}

Scale scale_of(const std::vector<Bar>& bars) {
  double low = 0;
  double high = 0;
  for (const Bar& bar : bars) {
    for (const double value : {bar.value, bar.low, bar.high}) {
      if (!std::isfinite(value)) continue;
      low = std::min(low, value);
      high = std::max(high, value);
    }
  }
  if (low == high) high = 1;
  const double air = 0.03 * (high - low);
  return {low < 0 ? low - air : low, high > 0 ? high + air : high, false};
}

void draw_bar(std::string& svg, const Bar& bar, const Scale& x, double left, double middle) {
  svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n", px(left - 8),
                     px(middle + 4), escape(shortened(bar.name)));
  if (!x.shows(bar.value)) return;
  const double from = std::min(x(0), x(bar.value));
  const double to = std::max(x(0), x(bar.value));
  svg += fmt::format(
      "<rect class=\"bar f0\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"><title>{}: {:.6g}"
      "</title></rect>\n",
      px(from), px(middle - kThickness / 2), px(to - from), px(kThickness), escape(bar.name),
      bar.value);
  if (bar.low == bar.high || !x.shows(bar.low) || !x.shows(bar.high)) return;
  svg += fmt::format("<path class=\"whisker s0\" d=\"M{0} {1}V{2}M{0} {3}H{4}M{4} {1}V{2}\"/>\n",
                     px(x(bar.low)), px(middle - 4), px(middle + 4), px(middle), px(x(bar.high)));
}

}  // namespace

std::string bar_chart(const std::string& about, const std::string& axis,
                      const std::vector<Bar>& bars) {
  double widest = 0;
  for (const Bar& bar : bars) widest = std::max(widest, text_width(shortened(bar.name)));
  const double left = kEdge + widest + 8;
  const double bottom = 10 + kRow * static_cast<double>(bars.size());
  Scale x = scale_of(bars);
  x.place(left, kWidth - 14);
  std::string svg = fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n",
                                px(kWidth), px(bottom + kFoot), escape(about));
  const std::vector<double> ticks = linear_ticks(x.low(), x.high(), 6);
  const std::vector<std::string> labels = tick_labels(ticks, Unit::number);
  for (size_t i = 0; i < ticks.size(); ++i) {
    svg += fmt::format("<path class=\"grid\" d=\"M{0} 6V{1}\"/>\n", px(x(ticks[i])), px(bottom));
    svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
                       px(x(ticks[i])), px(bottom + 17), labels[i]);
  }
  for (size_t i = 0; i < bars.size(); ++i) {
    draw_bar(svg, bars[i], x, left, 10 + kRow * (static_cast<double>(i) + 0.5));
  }
  svg += fmt::format("<path class=\"rule\" d=\"M{} 6V{}\"/>\n", px(x(0)), px(bottom));
  svg += fmt::format("<text class=\"axis\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
                     px((left + kWidth - 14) / 2), px(bottom + 37), escape(axis));
  return svg + "</svg>\n";
}

}  // namespace outerloop::report
