#include "interp/task_columns.h"

#include <algorithm>

namespace outerloop::interp {

bool is_certain(Estimand estimand, bool exact) {
  const bool of_query = estimand == Estimand::prior || estimand == Estimand::query;
  return estimand == Estimand::drop || (of_query && exact);
}

TaskColumns::TaskColumns(const TaskScoring& scoring, int64_t steps)
    : metrics_(scoring.metrics.size()), classes_(static_cast<size_t>(scoring.classes)) {
  for (int64_t step = 0; step <= steps; ++step) {
    for (size_t m = 0; m < metrics_; ++m) {
      all_.push_back({.metric = m, .is_baseline = true, .step = step});
    }
  }
  for (const Estimand estimand : scoring.estimands) {
    const bool is_prior = estimand == Estimand::prior;
    const bool is_curve = estimand == Estimand::query && scoring.curve;
    const int64_t from = is_prior ? 0 : is_curve ? std::min<int64_t>(1, steps) : steps;
    const int64_t to = is_prior ? 0 : steps;
    for (int64_t step = from; step <= to; ++step) add_part(scoring, estimand, step);
  }
  first_of_classes_ = all_.size();
  for (size_t g = 0; g < scoring.groups.size(); ++g) {
    for (int64_t label = 0; label < scoring.classes; ++label) {
      all_.push_back({.estimand = Estimand::query, .step = steps, .group = g, .label = label});
    }
  }
}

void TaskColumns::add_part(const TaskScoring& scoring, Estimand estimand, int64_t step) {
  parts_.push_back(
      {estimand, step, is_certain(estimand, scoring.exact) ? 1 : scoring.repeats, all_.size()});
  for (size_t g = 0; g < scoring.groups.size(); ++g) {
    for (int64_t r = 0; r < parts_.back().repeats; ++r) {
      for (size_t m = 0; m < metrics_; ++m) {
        all_.push_back({m, false, estimand, step, g, r});
      }
    }
  }
}

const TaskPart* TaskColumns::part_of(Estimand estimand, int64_t step) const {
  for (const TaskPart& part : parts_) {
    if (part.estimand == estimand && part.step == step) return &part;
  }
  return nullptr;
}

size_t TaskColumns::place(const TaskPart& part, size_t group, int64_t repeat) const {
  const size_t row = group * static_cast<size_t>(part.repeats) + static_cast<size_t>(repeat);
  return part.first + row * metrics_;
}

size_t TaskColumns::place_of_classes(size_t group) const {
  return first_of_classes_ + group * classes_;
}

}  // namespace outerloop::interp
