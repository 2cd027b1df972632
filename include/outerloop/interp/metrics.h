#pragma once
// Scores of predictions, as scikit-learn 1.9 defines and computes them: the same operations in the
// same order (numpy's pairwise sum), so the same bits.
//
// Targets are values, or classes 0, 1, … stored as numbers. Weights are per row and may be empty:
// all rows count the same. Where predictions have a width of two or more, the class said is the one
// of greatest score, ties to the lowest. Throws BadInput when sizes do not fit or a class is out of
// range; a score that the rows do not define (AUROC of one class, R^2 of one row) is NaN.

#include <span>
#include <string_view>
#include <vector>

#include "outerloop/interp/table.h"

namespace outerloop::interp {

using MetricFunction = double(std::span<const double> targets, const Predictions& predictions,
                              std::span<const double> weights);

// 1 - sum w (y - p)^2 / sum w (y - mean)^2; perfect predictions: 1; constant targets: 0.
MetricFunction r2_score;
MetricFunction mean_squared_error;
MetricFunction mean_absolute_error;
// Share of rows whose class is said.
MetricFunction accuracy;
// Mean over the classes of the targets of the share of its rows whose class is said.
MetricFunction balanced_accuracy;
// Mean of -ln p[class], p clipped to [eps, 1 - eps]. Predictions: probabilities per class, or
// (width 1) of class 1.
MetricFunction log_loss;
// Share of (positive, negative) pairs ranked right, ties 1/2, as the area under the ROC curve by
// trapezoids. Classes 0 and 1. Predictions: width 1 or 2, the last column is the score of class 1.
MetricFunction auroc;
// Mean of the sum over classes of (p_c - [c is the class])^2, halved where there are two classes.
// Predictions: as for log_loss.
MetricFunction brier_loss;

// Class said for each row by predictions as above.
double predicted_class(const Predictions& predictions, size_t row);

// What a model says of a row.
enum class Output { number, label, probabilities };

// A metric as users name it.
struct Metric {
  std::string_view name;
  Output of;  // of a label: of probabilities too
  bool greater_is_better;
  // For fixed targets the (weighted) mean of a number per row, times and plus something.
  bool mean_over_rows;
  MetricFunction* function;
  std::string_view needs = {};  // of the scored rows, or it is NaN
  bool of_two_classes = false;

  // The greater, the better: what importance is a decrease of.
  double score(std::span<const double> targets, const Predictions& predictions,
               std::span<const double> weights) const {
    const double value = function(targets, predictions, weights);
    return greater_is_better ? value : -value;
  }
};

std::span<const Metric> metrics();
// Throws BadInput with the known names when there is none.
const Metric& metric_named(std::string_view name);
// Names of those that such an output can be scored by, in their order.
std::vector<std::string_view> metrics_for(Output said);

}  // namespace outerloop::interp
