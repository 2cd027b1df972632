#pragma once
// A statistic over tasks in sentences for people.

#include <string>

#include "outerloop/train/statistic.h"

namespace outerloop::train {

// How values are written.
struct Units {
  double scale = 1;
  const char* unit = "";
};
Units units_of(bool accuracy);

// "96.1 ± 0.42 %"; "96.1 %" where there is no interval, "none" where there is no mean.
std::string mean_in_words(const Statistic& statistic, const Units& units);
std::string median_in_words(const Statistic& statistic, const Units& units);

// What stands behind the mean: "600 tasks", "one task: no interval", "all tasks diverged".
std::string tasks_in_words(const Statistic& statistic);

}  // namespace outerloop::train
