#include "report/plot_frame.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace outerloop::report {
namespace {

// The least and the greatest of the values seen.
struct Extent {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  bool positive_only = false;

  void see(double value) {
    if (!std::isfinite(value) || (positive_only && value <= 0)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

Extent x_extent(const Plot& plot) {
  Extent extent{.positive_only = plot.x.logarithmic};
  for (const Series& series : plot.series) {
    for (const Point& p : series.points) extent.see(p.x);
  }
  for (const Bars& bars : plot.bars) {
    for (const double edge : bars.edges) extent.see(edge);
  }
  return extent;
}

Extent y_extent(const Plot& plot) {
  Extent extent{.positive_only = plot.y.logarithmic};
  for (const Series& series : plot.series) {
    const bool interval = series.band || series.whiskers;
    for (const Point& p : series.points) {
      extent.see(p.y);
      if (interval) extent.see(p.low);
      if (interval) extent.see(p.high);
    }
  }
  for (const Bars& bars : plot.bars) {
    extent.see(0);
    for (const double height : bars.heights) extent.see(height);
  }
  for (const Rule& rule : plot.rules) {
    if (!rule.vertical) extent.see(rule.at);
  }
  return extent;
}

// A range with some air around the values; fractions stay within 0 and 1.
Scale scale_of(const Axis& axis, Extent extent, double air) {
  if (!(extent.low <= extent.high)) extent = {.low = axis.logarithmic ? 0.1 : 0, .high = 1};
  if (axis.logarithmic) {
    const double factor = std::max(std::pow(extent.high / extent.low, air), 1.0 + 2 * air);
    return {extent.low / factor, extent.high * factor, true};
  }
  double room = air * (extent.high - extent.low);
  if (extent.high == extent.low) room = air > 0 ? std::max(0.1 * std::abs(extent.low), 1e-3) : 0.5;
  double low = extent.low - room;
  double high = extent.high + room;
  if (axis.from_zero && extent.low >= 0) low = 0;
  if (axis.unit == Unit::percent) {
    low = std::max(low, std::min(0.0, extent.low));
    high = std::min(high, std::max(1.0, extent.high));
  }
  return {low, high, false};
}

std::vector<double> ticks_of(const Axis& axis, const Scale& scale, int most) {
  if (scale.logarithmic()) return log_ticks(scale.low(), scale.high());
  return linear_ticks(scale.low(), scale.high(), most, axis.whole_numbers);
}

double widest(const std::vector<std::string>& texts) {
  double width = 0;
  for (const std::string& text : texts) width = std::max(width, text_width(text));
  return width;
}

std::vector<Tick> placed(const std::vector<double>& ticks, const std::vector<std::string>& labels,
                         const Scale& scale) {
  std::vector<Tick> result;
  for (size_t i = 0; i < ticks.size(); ++i) result.push_back({scale(ticks[i]), labels[i]});
  return result;
}

// Of DejaVu Sans, the widest of the page's fonts, at its 13 pixels.
double width_of(char c) {
  constexpr std::string_view kNarrow = "ijl.,:;|'!()[]- ftrI/";
  constexpr std::string_view kWide = "mwMW@%";
  if (kNarrow.find(c) != kNarrow.npos) return 5.3;
  if (kWide.find(c) != kWide.npos) return 12.7;
  return c >= 'A' && c <= 'Z' ? 9.3 : 8.3;
}

}  // namespace

std::string px(double value) {
  std::string text = fmt::format("{:.1f}", value);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text == "-0" ? "0" : text;
}

double text_width(const std::string& text) {
  double width = 0;
  for (const char c : text) {
    if ((c & 0xC0) == 0x80) continue;  // within a character
    width += width_of(c);
  }
  return width;
}

double bold_width(const std::string& text) {
  return 1.12 * text_width(text);
}

Scale::Scale(double low, double high, bool logarithmic)
    : low_(low), high_(high), logarithmic_(logarithmic) {}

void Scale::place(double first_pixel, double last_pixel) {
  first_ = first_pixel;
  last_ = last_pixel;
}

double Scale::operator()(double value) const {
  const double v = std::clamp(value, low_, high_);
  const double share =
      logarithmic_ ? std::log(v / low_) / std::log(high_ / low_) : (v - low_) / (high_ - low_);
  return first_ + share * (last_ - first_);
}

bool Scale::shows(double value) const {
  return std::isfinite(value) && (!logarithmic_ || value > 0);
}

Frame::Frame(const Plot& plot)
    : x_(scale_of(plot.x, x_extent(plot), plot.bars.empty() ? 0.02 : 0)),
      y_(scale_of(plot.y, y_extent(plot), 0.06)) {
  const std::vector<double> y_values = ticks_of(plot.y, y_, 6);
  const std::vector<std::string> y_labels = tick_labels(y_values, plot.y.unit, !plot.y.logarithmic);
  std::vector<std::string> names;
  for (const Series& series : plot.series) names.push_back(series.name);
  left_ = kEdge + widest(y_labels) + 8;
  double widest_name = 0;
  for (const std::string& name : names) widest_name = std::max(widest_name, bold_width(name));
  right_ = kWidth - std::max(14.0, widest_name + 14);
  top_ = plot.bars.empty() ? 27 : 46;
  bottom_ = kHeight - 44;
  x_.place(left_, right_);
  y_.place(bottom_, top_);
  const std::vector<double> x_values = ticks_of(plot.x, x_, 7);
  x_ticks_ = placed(x_values, tick_labels(x_values, plot.x.unit, !plot.x.logarithmic), x_);
  y_ticks_ = placed(y_values, y_labels, y_);
}

}  // namespace outerloop::report
