#pragma once
// How well probabilities match what happens. Labels are classes 0 … C-1 stored as numbers, one per
// row. Throws BadInput when sizes do not fit or a label is out of range.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "outerloop/interp/table.h"

namespace outerloop::interp {

// Probabilities (rows, classes) of logits times inverse_temperature.
std::vector<double> softmax(const TableView& logits, double inverse_temperature = 1);

// Mean of -ln p[label].
double negative_log_likelihood(const TableView& probabilities, std::span<const double> labels);
// The same of softmax(inverse_temperature * logits), without underflow.
double logit_nll(const TableView& logits, std::span<const double> labels,
                 double inverse_temperature = 1);
// Its derivative by the inverse temperature.
double logit_nll_slope(const TableView& logits, std::span<const double> labels,
                       double inverse_temperature);

// Mean over rows of the sum over classes of (p_c - [c = label])^2. (scikit-learn and
// interp::brier_loss halve it where there are two classes.)
double brier_score(const TableView& probabilities, std::span<const double> labels);

// The greatest probability of each row, and whether it is the label's (ties: the lowest class).
struct TopClass {
  std::vector<double> confidence;
  std::vector<double> correct;  // 0 or 1
};
TopClass top_class(const TableView& probabilities, std::span<const double> labels);

// Expected calibration error (Guo et al. 2017): bin b = 1 … bins holds (b-1)/bins < confidence <=
// b/bins; sum over bins of count / n |mean confidence - mean correct|. Confidence 0 is in no bin.
struct CalibrationError {
  double value = 0;
  std::vector<int64_t> bin_count;
};
CalibrationError calibration_error(std::span<const double> confidence,
                                   std::span<const double> correct, size_t bins);

// 1/T of temperature scaling (Guo et al. 2017): where the negative log-likelihood of softmax(z / T)
// is least, by bisection of its slope to the last bit. None where there is no interior minimum
// (every row's label wins, or labels know nothing of the logits).
std::optional<double> fit_inverse_temperature(const TableView& logits,
                                              std::span<const double> labels);

}  // namespace outerloop::interp
