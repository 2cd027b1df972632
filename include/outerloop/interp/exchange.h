#pragma once
// Who gives values to whom in permutation importance, apart from any scoring.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "outerloop/interp/feature_groups.h"
#include "outerloop/interp/table.h"

namespace outerloop::interp {

// Shared by all groups of features (common random numbers), so that adding or dropping a column
// leaves the numbers of the others as they are.
struct Exchange {
  std::vector<uint32_t> rows;  // row of the table that is scored at each place
  std::vector<double> shares;  // of its row's weight that each place has; empty: all of it
  size_t repeats = 1;
  // Row that gives to each place in a repeat. A pure function.
  std::function<std::vector<uint32_t>(size_t repeat)> donors;
  // The baseline is the score of all rows, as scikit-learn 1.9 has it, not that of `rows`: constant
  // models are then given an importance where not all rows are scored.
  bool baseline_of_all_rows = false;
  // Every donor once: only for scores that are means over rows, from models without coupling.
  bool is_exact = false;
};

// The draws of sklearn.inspection.permutation_importance (1.9.1, random_state = seed).
struct SklearnDraws {
  uint32_t seed = 0;           // of the columns' generators
  std::vector<uint32_t> rows;  // the rows scored, in order
  // donors[k][i]: in repeat k, place i gets its value from place donors[k][i] of `rows`.
  std::vector<std::vector<uint32_t>> donors;
};

// Every column restarts one generator; with samples < rows it draws the rows first; each repeat
// shuffles the order that the last one left and applies it to the column that the last one left, so
// that donors are products of shuffles. Throws BadInput unless 1 <= samples <= rows and
// repeats >= 1.
SklearnDraws sklearn_draws(uint32_t seed, size_t rows, size_t samples, size_t repeats);
Exchange sklearn_exchange(SklearnDraws draws);

// Permutations by Philox: repeat k of a task is a function of (seed, task, k) and the number of
// places alone; with samples < rows the rows are a function of (seed, task). `classes`, one per row
// or none: rows give to rows of their own class alone. Throws BadInput as sklearn_draws, and when
// the classes do not fit.
struct KeyedDraws {
  uint64_t seed = 0;
  uint64_t task = 0;  // below 2^48
  size_t rows = 0;
  size_t samples = 0;
  size_t repeats = 1;
};
Exchange keyed_exchange(const KeyedDraws& draws, std::span<const double> classes = {});

// Each row meets every donor of the table, or of its class, itself included: the expectation over
// permutations of a score that is a mean over rows. (Without itself: times n / (n - 1).) Throws
// BadInput when there are more than kMostPairs pairs.
constexpr size_t kMostPairs = size_t{1} << 22;
Exchange exact_exchange(size_t rows, std::span<const double> classes = {});

// Rows that a fraction max_samples stands for: cut off to a whole number. Throws BadInput unless
// 0 < fraction <= 1 and it makes at least one row.
size_t sampled_rows(double fraction, size_t rows);

// What a ridge regression on the columns outside its group leaves of each column, (rows, columns):
// rows that exchange residuals keep what the other columns say of the group (conditional
// permutation, as in hidimstat's CFI). Outside columns are scaled to unit variance, so that `ridge`
// has one meaning for all. Constant columns have residual 0. Throws BadInput unless ridge > 0.
std::vector<double> ridge_residuals(const TableView& x, std::span<const FeatureGroup> groups,
                                    double ridge);

}  // namespace outerloop::interp
