#pragma once
// Permutation importance of the columns of a table (Breiman 2001): how much a score falls when one
// column is shuffled. Positive: the model needs the column.
//
// Which row gives its value to which is drawn apart from the scoring, so that the draws of
// scikit-learn and others serve the same loop.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "outerloop/interp/metrics.h"
#include "outerloop/interp/table.h"

namespace outerloop::interp {

// One set of draws, shared by all columns (common random numbers).
struct PermutationDraws {
  uint32_t seed = 0;           // of the columns' generators
  std::vector<uint32_t> rows;  // the rows scored, in order
  // donors[k][i]: in repeat k, place i gets its value from place donors[k][i] of `rows`.
  std::vector<std::vector<uint32_t>> donors;
};

// The draws of sklearn.inspection.permutation_importance (1.9.1, random_state = seed): every column
// restarts one generator; with samples < rows it draws the rows first; each repeat shuffles the
// order that the last one left and applies it to the column that the last one left, so that donors
// are products of shuffles. Throws BadInput unless 1 <= samples <= rows and repeats >= 1.
PermutationDraws sklearn_draws(uint32_t seed, size_t rows, size_t samples, size_t repeats);

// Rows that a fraction max_samples stands for: cut off to a whole number. Throws BadInput unless
// 0 < fraction <= 1 and it makes at least one row.
size_t sampled_rows(double fraction, size_t rows);

struct Importance {
  std::string_view metric;
  double baseline = 0;  // score on all rows, untouched
  size_t repeats = 0;
  std::vector<double> decreases;  // (columns, repeats): baseline - score
  std::vector<double> mean;       // (columns) over repeats
  std::vector<double> deviation;  // (columns) over repeats, divided by their number
};

// Every metric from one prediction per (column, repeat). `targets` and `weights` (or none) are per
// row of x. As in scikit-learn 1.9.1 the baseline is that of all rows even where `draws` scores
// fewer: constant models are then given an importance. Element for element scikit-learn's numbers
// with sklearn_draws. Throws BadInput when sizes do not fit.
std::vector<Importance> permutation_importance(const Model& model, const TableView& x,
                                               std::span<const double> targets,
                                               std::span<const double> weights,
                                               std::span<const Metric> metrics,
                                               const PermutationDraws& draws);

}  // namespace outerloop::interp
