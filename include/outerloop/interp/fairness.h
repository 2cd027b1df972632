#pragma once
// Group fairness of binary decisions, with the names and definitions of Fairlearn.

#include <cstdint>
#include <span>
#include <vector>

namespace outerloop::interp {

// Rates are means of the prediction over the rows of a group: all, those of target 1 (true positive
// rate), those of target 0 (false positive rate). A rate of no rows is NaN and counted. Differences
// are max - min over the groups that have the rate.
struct Fairness {
  std::vector<double> groups;  // rising
  std::vector<int64_t> rows;   // per group, as what follows
  std::vector<double> selection_rate;
  std::vector<double> true_positive_rate;
  std::vector<double> false_positive_rate;
  int64_t missing_rates = 0;

  double parity_difference = 0;  // of selection rates
  double parity_ratio = 0;       // least / greatest selection rate; NaN when nothing is selected
  double true_positive_difference = 0;
  double false_positive_difference = 0;
  double odds_difference = 0;  // the greater of the last two
  double odds_mean = 0;        // their mean
};

// targets and predictions: 0 or 1 per row; groups: any numbers. Throws BadInput otherwise.
Fairness fairness(std::span<const double> targets, std::span<const double> predictions,
                  std::span<const double> groups);

}  // namespace outerloop::interp
