#include "outerloop/interp/permutation_importance.h"

#include <fmt/format.h>

#include <cmath>
#include <numeric>

#include "interp/pairwise_sum.h"
#include "outerloop/base/error.h"
#include "outerloop/interp/numpy_random.h"

namespace outerloop::interp {

PermutationDraws sklearn_draws(uint32_t seed, size_t rows, size_t samples, size_t repeats) {
  if (samples < 1 || samples > rows || rows > UINT32_MAX || repeats < 1) {
    throw BadInput(
        fmt::format("permutation importance needs 1 to {} rows and a repeat, got {} "
                    "rows and {} repeats",
                    rows, samples, repeats));
  }
  const auto n = static_cast<uint32_t>(rows);
  const auto m = static_cast<uint32_t>(samples);
  PermutationDraws draws;
  draws.seed = NumpyRandom(seed).up_to(INT32_MAX);
  NumpyRandom random(draws.seed);
  if (m < n) {
    draws.rows = random.sample(n, m);
  } else {
    draws.rows.resize(n);
    std::iota(draws.rows.begin(), draws.rows.end(), 0);
  }
  std::vector<uint32_t> order(m);
  std::iota(order.begin(), order.end(), 0);
  std::vector<uint32_t> donors = order;
  for (size_t k = 0; k < repeats; ++k) {
    random.shuffle(std::span(order));
    std::vector<uint32_t> next(m);
    for (size_t i = 0; i < m; ++i) next[i] = donors[order[i]];
    donors = next;
    draws.donors.push_back(std::move(next));
  }
  return draws;
}

size_t sampled_rows(double fraction, size_t rows) {
  const double samples = fraction * static_cast<double>(rows);
  if (!(fraction > 0 && fraction <= 1 && samples >= 1)) {
    throw BadInput(
        fmt::format("max_samples must be a fraction in (0, 1] that leaves a row, got {} of {} rows",
                    fraction, rows));
  }
  return static_cast<size_t>(samples);
}

namespace {

std::vector<double> gathered(std::span<const double> values, std::span<const uint32_t> rows) {
  std::vector<double> result;
  if (values.empty()) return result;
  result.reserve(rows.size());
  for (const uint32_t row : rows) result.push_back(values[row]);
  return result;
}

// The table, targets and weights of the rows scored, with one column permuted at a time.
class Scorer {
 public:
  Scorer(const Model& model, const TableView& x, std::span<const double> targets,
         std::span<const double> weights, std::span<const uint32_t> rows)
      : model_(model),
        columns_(x.columns()),
        targets_(gathered(targets, rows)),
        weights_(gathered(weights, rows)),
        predictions_(rows.size() * model.width) {
    table_.reserve(rows.size() * columns_);
    for (const uint32_t row : rows) {
      table_.insert(table_.end(), x.row(row).begin(), x.row(row).end());
    }
  }

  void predict() { model_.predict(TableView(table_, columns_), predictions_); }
  double score(const Metric& metric) const {
    return metric.score(targets_, {predictions_, model_.width}, weights_);
  }

  std::vector<double> column(size_t j) const {
    std::vector<double> values;
    for (size_t i = j; i < table_.size(); i += columns_) values.push_back(table_[i]);
    return values;
  }
  void set_column(size_t j, std::span<const double> values) {
    for (size_t i = 0; i < values.size(); ++i) table_[i * columns_ + j] = values[i];
  }

 private:
  const Model& model_;
  size_t columns_;
  std::vector<double> table_;
  std::vector<double> targets_;
  std::vector<double> weights_;
  std::vector<double> predictions_;
};

void check_inputs(const TableView& x, std::span<const double> targets,
                  std::span<const double> weights, const PermutationDraws& draws) {
  if (x.rows() == 0 || targets.size() != x.rows() ||
      (!weights.empty() && weights.size() != x.rows())) {
    throw BadInput(
        fmt::format("permutation importance needs a target (and a weight) per row, got "
                    "{} rows, {} targets, {} weights",
                    x.rows(), targets.size(), weights.size()));
  }
  for (const uint32_t row : draws.rows) {
    OL_ASSERT(row < x.rows(), "the draws are of another table");
  }
}

void summarise(Importance& importance) {
  const auto repeats = static_cast<double>(importance.repeats);
  for (size_t start = 0; start < importance.decreases.size(); start += importance.repeats) {
    const auto row =
        std::span<const double>(importance.decreases).subspan(start, importance.repeats);
    const double mean = mean_of(row);
    std::vector<double> squares;
    for (const double value : row) squares.push_back((value - mean) * (value - mean));
    importance.mean.push_back(mean);
    importance.deviation.push_back(std::sqrt(pairwise_sum(squares) / repeats));
  }
}

}  // namespace

std::vector<Importance> permutation_importance(const Model& model, const TableView& x,
                                               std::span<const double> targets,
                                               std::span<const double> weights,
                                               std::span<const Metric> metrics,
                                               const PermutationDraws& draws) {
  check_inputs(x, targets, weights, draws);
  std::vector<uint32_t> all_rows(x.rows());
  std::iota(all_rows.begin(), all_rows.end(), 0);
  Scorer untouched(model, x, targets, weights, all_rows);
  untouched.predict();
  std::vector<Importance> results;
  for (const Metric& metric : metrics) {
    results.push_back({.metric = metric.name,
                       .baseline = untouched.score(metric),
                       .repeats = draws.donors.size()});
  }

  Scorer permuted(model, x, targets, weights, draws.rows);
  for (size_t j = 0; j < x.columns(); ++j) {
    const std::vector<double> original = permuted.column(j);
    for (const auto& donors : draws.donors) {
      permuted.set_column(j, gathered(original, donors));
      permuted.predict();
      for (size_t m = 0; m < metrics.size(); ++m) {
        results[m].decreases.push_back(results[m].baseline - permuted.score(metrics[m]));
      }
    }
    permuted.set_column(j, original);
  }
  for (Importance& importance : results) summarise(importance);
  return results;
}

}  // namespace outerloop::interp
