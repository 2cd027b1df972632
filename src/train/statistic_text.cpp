#include "train/statistic_text.h"

#include <fmt/format.h>

#include <cmath>

namespace outerloop::train {

Units units_of(bool accuracy) {
  return accuracy ? Units{.scale = 100, .unit = " %"} : Units{};
}

std::string mean_in_words(const Statistic& s, const Units& units) {
  if (s.tasks == 0) return "none";
  const std::string interval =
      std::isfinite(s.ci95) ? fmt::format(" ± {:.2g}", units.scale * s.ci95) : "";
  return fmt::format("{:.4g}{}{}", units.scale * s.mean, interval, units.unit);
}

std::string median_in_words(const Statistic& s, const Units& units) {
  return fmt::format("{:.4g}{}", units.scale * s.median, units.unit);
}

std::string tasks_in_words(const Statistic& s) {
  if (s.tasks == 0) return "all tasks diverged";
  return s.tasks == 1 ? "one task: no interval" : fmt::format("{} tasks", s.tasks);
}

}  // namespace outerloop::train
