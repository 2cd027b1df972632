#include "outerloop/interp/fairness.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "outerloop/base/error.h"

namespace outerloop::interp {

namespace {

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

// Rows and positive predictions of a group, by target.
struct Cell {
  int64_t rows[2] = {0, 0};
  int64_t selected[2] = {0, 0};
};

double rate(int64_t selected, int64_t rows) {
  return rows == 0 ? kMissing : static_cast<double>(selected) / static_cast<double>(rows);
}

struct Range {
  double least = kMissing;
  double greatest = kMissing;
  double width() const { return greatest - least; }
};

Range range_of(std::span<const double> rates) {
  Range range;
  for (const double value : rates) {
    if (std::isnan(value)) continue;
    range.least = std::fmin(range.least, value);
    range.greatest = std::fmax(range.greatest, value);
  }
  return range;
}

bool is_binary(std::span<const double> values) {
  return std::ranges::all_of(values, [](double value) { return value == 0 || value == 1; });
}

}  // namespace

Fairness fairness(std::span<const double> targets, std::span<const double> predictions,
                  std::span<const double> groups) {
  if (targets.empty() || predictions.size() != targets.size() || groups.size() != targets.size()) {
    throw BadInput(
        fmt::format("fairness needs a target, a prediction and a group per row, got {}, "
                    "{} and {}",
                    targets.size(), predictions.size(), groups.size()));
  }
  if (!is_binary(targets) || !is_binary(predictions)) {
    throw BadInput("fairness needs targets and predictions 0 or 1");
  }
  std::map<double, Cell> cells;
  for (size_t i = 0; i < targets.size(); ++i) {
    Cell& cell = cells[groups[i]];
    const int target = targets[i] == 1 ? 1 : 0;
    ++cell.rows[target];
    cell.selected[target] += predictions[i] == 1 ? 1 : 0;
  }

  Fairness result;
  for (const auto& [group, cell] : cells) {
    const int64_t rows = cell.rows[0] + cell.rows[1];
    result.groups.push_back(group);
    result.rows.push_back(rows);
    result.selection_rate.push_back(rate(cell.selected[0] + cell.selected[1], rows));
    result.true_positive_rate.push_back(rate(cell.selected[1], cell.rows[1]));
    result.false_positive_rate.push_back(rate(cell.selected[0], cell.rows[0]));
    result.missing_rates += (cell.rows[0] == 0 ? 1 : 0) + (cell.rows[1] == 0 ? 1 : 0);
  }
  const Range selection = range_of(result.selection_rate);
  result.parity_difference = selection.width();
  result.parity_ratio = selection.least / selection.greatest;
  result.true_positive_difference = range_of(result.true_positive_rate).width();
  result.false_positive_difference = range_of(result.false_positive_rate).width();
  const double a = result.true_positive_difference;
  const double b = result.false_positive_difference;
  // A difference that is not there leaves no greater of the two.
  result.odds_difference = std::isnan(a + b) ? kMissing : std::max(a, b);
  result.odds_mean = (a + b) / 2;
  return result;
}

}  // namespace outerloop::interp
