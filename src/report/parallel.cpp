#include "report/parallel.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "report/html.h"
#include "report/plot_frame.h"
#include "report/ticks.h"

namespace outerloop::report {
namespace {

using sweep::OverSeeds;
using sweep::Setting;

constexpr double kPageWidth = 960;
constexpr double kPageHeight = 380;
constexpr double kTop = 44;
constexpr double kBottom = kPageHeight - 16;
constexpr double kSide = 96;
constexpr size_t kMostLabels = 12;

std::optional<double> number(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Scale scale_over(const std::vector<double>& values, bool upside_down) {
  const auto [low, high] = std::ranges::minmax(values);
  const bool logarithmic = low > 0 && high > 20 * low;
  Scale scale = low == high ? Scale(low - 1, high + 1, false) : Scale(low, high, logarithmic);
  upside_down ? scale.place(kTop, kBottom) : scale.place(kBottom, kTop);
  return scale;
}

std::vector<Tick> ticks_of(const Scale& scale, Unit unit) {
  const std::vector<double> places = scale.logarithmic()
                                         ? log_ticks(scale.low(), scale.high())
                                         : linear_ticks(scale.low(), scale.high(), 6);
  const auto labels = tick_labels(places, unit, !scale.logarithmic());
  std::vector<Tick> ticks;
  for (size_t i = 0; i < places.size(); ++i) ticks.push_back({scale(places[i]), labels[i]});
  return ticks;
}

// Where the values of one key lie: numbers to scale, words one below the other.
class KeyAxis {
 public:
  KeyAxis(const std::vector<const Setting*>& settings, size_t key) {
    std::set<std::string> texts;
    std::vector<double> numbers;
    for (const Setting* setting : settings) {
      const std::string& text = setting->values[key];
      texts.insert(text);
      if (const auto value = number(text)) numbers.push_back(*value);
    }
    if (numbers.size() == settings.size()) {
      const Scale scale = scale_over(numbers, false);
      for (const std::string& text : texts) places_[text] = scale(*number(text));
      if (texts.size() > kMostLabels) ticks_ = ticks_of(scale, Unit::number);
    } else {
      const double step = (kBottom - kTop) / static_cast<double>(texts.size());
      double y = kTop + step / 2;
      for (const std::string& text : texts) places_[text] = std::exchange(y, y + step);
    }
    if (!ticks_.empty()) return;
    for (const auto& [text, y] : places_) ticks_.push_back({y, text});
  }

  double operator()(const std::string& text) const { return places_.at(text); }
  const std::vector<Tick>& ticks() const { return ticks_; }

 private:
  std::map<std::string, double> places_;
  std::vector<Tick> ticks_;
};

std::string axis(double x, const std::string& name, const std::vector<Tick>& ticks, bool is_last) {
  std::string svg =
      fmt::format("<path class=\"grid\" d=\"M{} {}V{}\"/>\n", px(x), px(kTop), px(kBottom));
  svg += fmt::format("<text class=\"name\" x=\"{}\" y=\"18\" text-anchor=\"middle\">{}</text>\n",
                     px(x), escape(name));
  for (const Tick& tick : ticks) {
    svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"{}\">{}</text>\n",
                       px(is_last ? x + 7 : x - 7), px(tick.place + 4), is_last ? "start" : "end",
                       escape(tick.label));
  }
  return svg;
}

bool has_interval(const OverSeeds& score) {
  return std::isfinite(score.half);
}

std::vector<double> all_scores(const std::vector<const Setting*>& settings) {
  std::vector<double> values;
  for (const Setting* setting : settings) values.push_back(setting->score.mean);
  const auto [low, high] = std::ranges::minmax(values);
  // One wild seed must not press all the others together.
  for (const Setting* setting : settings) {
    const OverSeeds& score = setting->score;
    if (!has_interval(score)) continue;
    values.push_back(std::max(score.mean - score.half, low > 0 ? low / 2 : 2 * low - high));
    values.push_back(std::min(score.mean + score.half, high > 0 ? 2 * high : high - low));
  }
  return values;
}

// A line through the setting's values, and the interval over seeds as it opens towards the score.
std::string line(const Setting& setting, const std::vector<KeyAxis>& axes, double step,
                 const Scale& scores, const char* rank, int color) {
  std::string path;
  double x = kSide;
  double y = 0;
  for (size_t k = 0; k < axes.size(); ++k, x += step) {
    y = axes[k](setting.values[k]);
    path += fmt::format("{}{} {}", k == 0 ? "M" : "L", px(x), px(y));
  }
  const OverSeeds& score = setting.score;
  std::string band;
  if (has_interval(score)) {
    band = fmt::format("<path class=\"band f{}\" d=\"M{} {}L{} {}V{}Z\"/>\n", color, px(x - step),
                       px(y), px(x), px(scores(score.mean - score.half)),
                       px(scores(score.mean + score.half)));
  }
  return fmt::format("<g class=\"{}\">{}<path class=\"line s{}\" d=\"{}L{} {}\"/></g>\n", rank,
                     band, color, path, px(x), px(scores(score.mean)));
}

}  // namespace

std::string parallel_coordinates(const sweep::Table& table) {
  std::vector<const Setting*> settings;
  for (const Setting& setting : table.settings) {
    if (setting.score.seeds > 0) settings.push_back(&setting);
  }
  if (settings.empty() || table.keys.empty()) return {};
  const double step = (kPageWidth - 2 * kSide) / static_cast<double>(table.keys.size());
  const Scale scores = scale_over(all_scores(settings), !table.greater_is_better);
  std::vector<KeyAxis> axes;
  std::string svg = fmt::format(
      "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"Settings and their scores: an axis for "
      "each key\">\n",
      px(kPageWidth), px(kPageHeight));
  for (size_t k = 0; k < table.keys.size(); ++k) {
    axes.emplace_back(settings, k);
    svg += axis(kSide + static_cast<double>(k) * step, table.keys[k], axes[k].ticks(), false);
  }
  svg += axis(kPageWidth - kSide, table.measure,
              ticks_of(scores, table.greater_is_better ? Unit::percent : Unit::number), true);
  for (size_t i = settings.size(); i-- > 1;) {
    const bool good = i < std::max<size_t>(settings.size() / 10, 3);
    svg += line(*settings[i], axes, step, scores, good ? "good" : "rest", good ? 0 : 3);
  }
  return svg + line(*settings[0], axes, step, scores, "best", 1) + "</svg>\n";
}

}  // namespace outerloop::report
