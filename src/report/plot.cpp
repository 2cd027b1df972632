#include "report/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "report/html.h"
#include "report/plot_frame.h"

namespace outerloop::report {
namespace {

void draw_grid(std::string& svg, const Frame& frame) {
  for (const Tick& tick : frame.x_ticks()) {
    svg += fmt::format("<path class=\"grid\" d=\"M{0} {1}V{2}\"/>\n", px(tick.place),
                       px(frame.top()), px(frame.bottom()));
    svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n", px(tick.place),
                       px(frame.bottom() + 17), tick.label);
  }
  for (const Tick& tick : frame.y_ticks()) {
    svg += fmt::format("<path class=\"grid\" d=\"M{} {}H{}\"/>\n", px(frame.left()), px(tick.place),
                       px(frame.right()));
    svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n",
                       px(frame.left() - 7), px(tick.place + 4), tick.label);
  }
}

void draw_axis_labels(std::string& svg, const Frame& frame, const Plot& plot) {
  svg += fmt::format("<text class=\"axis\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
                     px((frame.left() + frame.right()) / 2), px(frame.bottom() + 37),
                     escape(plot.x.label));
  svg += fmt::format("<text class=\"axis\" x=\"{}\" y=\"{}\">{}</text>\n", px(kEdge), px(15),
                     escape(plot.y.label));
}

bool has_interval(const Point& p) {
  return std::isfinite(p.low) && std::isfinite(p.high);
}

void draw_band(std::string& svg, const Frame& frame, const Series& series) {
  std::string there;
  std::string back;
  for (const Point& p : series.points) {
    if (!frame.shows(p) || !has_interval(p)) continue;
    there +=
        fmt::format("{}{} {}", there.empty() ? "M" : "L", px(frame.x(p.x)), px(frame.y(p.high)));
    back = fmt::format("L{} {}", px(frame.x(p.x)), px(frame.y(p.low))) + back;
  }
  if (there.empty()) return;
  svg += fmt::format("<path class=\"band f{}\" d=\"{}{}Z\"/>\n", series.color, there, back);
}

void draw_line(std::string& svg, const Frame& frame, const Series& series) {
  std::string path;
  bool pen_down = false;
  for (const Point& p : series.points) {
    if (frame.shows(p)) {
      path += fmt::format("{}{} {}", pen_down ? "L" : "M", px(frame.x(p.x)), px(frame.y(p.y)));
    }
    pen_down = frame.shows(p);
  }
  svg += fmt::format("<path class=\"line s{}{}\" d=\"{}\"/>\n", series.color,
                     series.dashed ? " dashed" : "", path);
}

// Whether no line reaches this point: it would not be seen without a dot.
bool is_alone(const Frame& frame, const std::vector<Point>& points, size_t i) {
  return (i == 0 || !frame.shows(points[i - 1])) &&
         (i + 1 == points.size() || !frame.shows(points[i + 1]));
}

void draw_marks(std::string& svg, const Frame& frame, const Series& series) {
  for (size_t i = 0; i < series.points.size(); ++i) {
    const Point& p = series.points[i];
    if (!frame.shows(p)) continue;
    if (series.whiskers && has_interval(p)) {
      svg += fmt::format("<path class=\"whisker s{}\" d=\"M{} {}V{}\"/>\n", series.color,
                         px(frame.x(p.x)), px(frame.y(p.low)), px(frame.y(p.high)));
    }
    if (series.dots || is_alone(frame, series.points, i)) {
      svg += fmt::format("<circle class=\"f{}\" cx=\"{}\" cy=\"{}\" r=\"3.5\"/>\n", series.color,
                         px(frame.x(p.x)), px(frame.y(p.y)));
    }
  }
}

void draw_end_values(std::string& svg, const Frame& frame, const Series& series, Unit unit) {
  if (!series.end_values || series.points.size() < 2) return;
  const Point& first = series.points.front();
  const Point& last = series.points.back();
  const auto write = [&](const Point& p, double right, double below, const char* anchor) {
    if (!frame.shows(p)) return;
    svg += fmt::format("<text class=\"name t{}\" x=\"{}\" y=\"{}\" text-anchor=\"{}\">{}</text>\n",
                       series.color, px(frame.x(p.x) + right), px(frame.y(p.y) + below), anchor,
                       in_words(p.y, unit));
  };
  // Clear of the curve, which rises from the first point or falls.
  const bool rises = first.y < last.y;
  write(first, rises ? 4 : 6, rises ? 20 : -8, "start");
  write(last, 0, -12, "end");
}

void draw_series(std::string& svg, const Frame& frame, const Series& series, Unit unit) {
  if (series.band) draw_band(svg, frame, series);
  if (series.line) draw_line(svg, frame, series);
  draw_marks(svg, frame, series);
  draw_end_values(svg, frame, series, unit);
}

// Names beside the last points, moved apart where they would overlap.
void draw_names(std::string& svg, const Frame& frame, const Plot& plot) {
  struct Name {
    double y;
    const Series* series;
  };
  std::vector<Name> names;
  for (const Series& series : plot.series) {
    const auto last = std::find_if(series.points.rbegin(), series.points.rend(),
                                   [&](const Point& p) { return frame.shows(p); });
    if (series.name.empty() || last == series.points.rend()) continue;
    names.push_back({frame.y(last->y) + 4, &series});
  }
  std::ranges::stable_sort(names, {}, &Name::y);
  for (size_t i = 1; i < names.size(); ++i) {
    names[i].y = std::max(names[i].y, names[i - 1].y + kLine);
  }
  double floor = frame.bottom() + 4;
  for (auto name = names.rbegin(); name != names.rend(); ++name, floor -= kLine) {
    name->y = std::min(name->y, floor);
  }
  for (const Name& name : names) {
    svg += fmt::format("<text class=\"name t{}\" x=\"{}\" y=\"{}\">{}</text>\n", name.series->color,
                       px(frame.right() + 8), px(name.y), escape(name.series->name));
  }
}

// The outline of a histogram, from its first bar to its last.
std::string outline(const Frame& frame, const Bars& bars) {
  size_t begin = 0;
  size_t end = bars.heights.size();
  while (begin < end && bars.heights[begin] == 0) ++begin;
  while (end > begin && bars.heights[end - 1] == 0) --end;
  std::string path = fmt::format("M{} {}", px(frame.x(bars.edges[begin])), px(frame.bottom()));
  for (size_t i = begin; i < end; ++i) {
    path += fmt::format("V{}H{}", px(frame.y(bars.heights[i])), px(frame.x(bars.edges[i + 1])));
  }
  return path + fmt::format("V{}", px(frame.bottom()));
}

void draw_bars(std::string& svg, const Frame& frame, const std::vector<Bars>& all) {
  double x = frame.left();
  for (const Bars& bars : all) {
    const std::string style =
        bars.filled ? fmt::format("bar f{}", bars.color) : fmt::format("line s{}", bars.color);
    svg += fmt::format("<path class=\"{}\" d=\"{}\"/>\n", style, outline(frame, bars));
    svg += fmt::format("<path class=\"{}\" d=\"M{} {}h14v-9h-14Z\"/>\n", style, px(x),
                       px(frame.top() - 6));
    svg += fmt::format("<text x=\"{}\" y=\"{}\">{}</text>\n", px(x + 19), px(frame.top() - 6),
                       escape(bars.name));
    x += 34 + text_width(bars.name);
  }
}

void draw_rules(std::string& svg, const Frame& frame, const std::vector<Rule>& rules) {
  for (const Rule& rule : rules) {
    const std::string label = escape(rule.label);
    if (rule.vertical) {
      const double x = frame.x(rule.at);
      const bool flip = x + text_width(rule.label) + 8 > frame.right();
      svg += fmt::format("<path class=\"rule\" d=\"M{} {}V{}\"/>\n", px(x), px(frame.top()),
                         px(frame.bottom()));
      svg += fmt::format("<text class=\"small\" x=\"{}\" y=\"{}\"{}>{}</text>\n",
                         px(flip ? x - 5 : x + 5), px(frame.top() + 11),
                         flip ? " text-anchor=\"end\"" : "", label);
    } else {
      const double y = frame.y(rule.at);
      svg += fmt::format("<path class=\"rule\" d=\"M{} {}H{}\"/>\n", px(frame.left()), px(y),
                         px(frame.right()));
      svg += fmt::format("<text class=\"small\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n",
                         px(frame.right() - 4), px(y - 5), label);
    }
  }
}

}  // namespace

std::string to_svg(const Plot& plot) {
  const Frame frame(plot);
  std::string svg = fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n",
                                px(kWidth), px(kHeight), escape(plot.about));
  draw_grid(svg, frame);
  draw_axis_labels(svg, frame, plot);
  draw_bars(svg, frame, plot.bars);
  draw_rules(svg, frame, plot.rules);
  for (const Series& series : plot.series) draw_series(svg, frame, series, plot.y.unit);
  draw_names(svg, frame, plot);
  svg += "</svg>\n";
  return svg;
}

}  // namespace outerloop::report
