#include "train/statistic_text.h"

#include <fmt/format.h>

#include <cmath>

namespace outerloop::train {

Measure measure_of(bool accuracy) {
  return accuracy ? Measure{.scale = 100, .unit = " %"} : Measure{};
}

std::string mean_in_words(const Statistic& s, const Measure& measure) {
  if (s.tasks == 0) return "none";
  const std::string interval =
      std::isfinite(s.ci95) ? fmt::format(" ± {:.2g}", measure.scale * s.ci95) : "";
  return fmt::format("{:.4g}{}{}", measure.scale * s.mean, interval, measure.unit);
}

std::string median_in_words(const Statistic& s, const Measure& measure) {
  return fmt::format("{:.4g}{}", measure.scale * s.median, measure.unit);
}

std::string tasks_in_words(const Statistic& s) {
  if (s.tasks == 0) return "all tasks diverged";
  return s.tasks == 1 ? "one task: no interval" : fmt::format("{} tasks", s.tasks);
}

}  // namespace outerloop::train
