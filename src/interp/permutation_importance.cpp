#include "outerloop/interp/permutation_importance.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "outerloop/base/counted.h"
#include "outerloop/base/error.h"
#include "outerloop/base/pairwise_sum.h"

namespace outerloop::interp {

namespace {

constexpr size_t kRowsAtOnce = 4096;  // rows that a model without coupling is asked at a time

std::vector<double> gathered(std::span<const double> values, std::span<const uint32_t> rows) {
  std::vector<double> result;
  if (values.empty()) return result;
  result.reserve(rows.size());
  for (const uint32_t row : rows) result.push_back(values[row]);
  return result;
}

void check_sizes(const PermutationProblem& problem, const Exchange& exchange) {
  const size_t rows = problem.x.rows();
  const bool fits =
      rows > 0 && problem.targets.size() == rows &&
      (problem.weights.empty() || problem.weights.size() == rows) &&
      (problem.residuals.empty() || problem.residuals.size() == problem.x.values().size());
  if (!fits) {
    throw BadInput(
        fmt::format("permutation importance needs a target (and a weight) per row, got "
                    "{} rows, {} targets, {} weights",
                    rows, problem.targets.size(), problem.weights.size()));
  }
  for (const uint32_t row : exchange.rows) OL_ASSERT(row < rows, "draws of another table");
}

void check_exact(const PermutationProblem& problem) {
  if (!problem.model.coupling.empty()) {
    throw BadInput(
        fmt::format("exact importance needs answers that depend on their own row alone, but {}; "
                    "sample permutations instead",
                    problem.model.coupling));
  }
  for (const Metric& metric : problem.metrics) {
    if (metric.mean_over_rows) continue;
    throw BadInput(
        fmt::format("exact importance needs a score that is a mean over rows, {} is "
                    "none; sample permutations or choose another metric",
                    metric.name));
  }
}

// A score that is not finite: by the model, or by rows that do not define it.
[[noreturn]] void refuse(const Metric& metric, std::span<const double> predictions, size_t rows) {
  const auto is_finite = [](double value) { return std::isfinite(value); };
  const std::string why =
      !std::ranges::all_of(predictions, is_finite)
          ? "the model's predictions are not; look at its parameters and features"
      : metric.needs.empty()
          ? "the predictions are too large, or the weights of these rows add up to 0"
          : fmt::format("it takes {}; raise max_samples, or choose other metrics", metric.needs);
  throw BadInput(fmt::format("importance: {} of the {} scored {} is not finite: {}", metric.name,
                             rows, noun(rows, "row"), why));
}

}  // namespace

PermutationScorer::PermutationScorer(const PermutationProblem& problem, Exchange exchange)
    : problem_(problem), exchange_(std::move(exchange)) {
  check_sizes(problem_, exchange_);
  if (exchange_.is_exact) check_exact(problem_);
  if (!problem_.residuals.empty()) residuals_ = {problem_.residuals, problem_.x.columns()};
  targets_ = gathered(problem_.targets, exchange_.rows);
  weights_ = gathered(problem_.weights, exchange_.rows);
  const std::vector<double>& shares = exchange_.shares;
  if (!shares.empty() && weights_.empty()) weights_.assign(shares.size(), 1.0);
  for (size_t i = 0; i < shares.size(); ++i) weights_[i] *= shares[i];
  if (!exchange_.baseline_of_all_rows) {
    baselines_ = scores({.x = &problem_.x, .rows = exchange_.rows}, targets_, weights_);
    return;
  }
  std::vector<uint32_t> all_rows(problem_.x.rows());
  std::iota(all_rows.begin(), all_rows.end(), 0);
  baselines_ = scores({.x = &problem_.x, .rows = all_rows}, problem_.targets, problem_.weights);
}

std::vector<double> PermutationScorer::scores(const GatheredRows& rows,
                                              std::span<const double> targets,
                                              std::span<const double> weights) const {
  const BlockModel& model = problem_.model;
  std::vector<double> predictions(rows.size() * model.width);
  const size_t block = model.coupling.empty() ? kRowsAtOnce : rows.size();
  for (size_t begin = 0; begin < rows.size(); begin += block) {
    const size_t count = std::min(block, rows.size() - begin);
    model.predict(rows.part(begin, count),
                  std::span(predictions).subspan(begin * model.width, count * model.width));
  }
  std::vector<double> result;
  for (const Metric& metric : problem_.metrics) {
    result.push_back(metric.score(targets, {predictions, model.width}, weights));
    if (!std::isfinite(result.back())) refuse(metric, predictions, targets.size());
  }
  return result;
}

std::vector<double> PermutationScorer::decreases(size_t group, size_t repeat) const {
  const std::vector<uint32_t> donors = exchange_.donors(repeat);
  const GatheredRows exchanged{.x = &problem_.x,
                               .rows = exchange_.rows,
                               .columns = problem_.groups[group].columns,
                               .donors = donors,
                               .residuals = problem_.residuals.empty() ? nullptr : &residuals_};
  std::vector<double> result = scores(exchanged, targets_, weights_);
  for (size_t m = 0; m < result.size(); ++m) result[m] = baselines_[m] - result[m];
  return result;
}

std::vector<Importance> summarise(std::span<const Metric> metrics,
                                  std::span<const double> baselines, size_t repeats,
                                  std::span<const std::vector<double>> cells) {
  std::vector<Importance> results;
  for (size_t m = 0; m < metrics.size(); ++m) {
    Importance& importance = results.emplace_back(
        Importance{.metric = metrics[m].name, .baseline = baselines[m], .repeats = repeats});
    for (const auto& cell : cells) importance.decreases.push_back(cell[m]);
    const std::span<const double> all = importance.decreases;
    for (size_t start = 0; start < all.size(); start += repeats) {
      const auto row = all.subspan(start, repeats);
      const double mean = mean_of(row);
      std::vector<double> squares;
      for (const double value : row) squares.push_back((value - mean) * (value - mean));
      importance.mean.push_back(mean);
      importance.deviation.push_back(std::sqrt(mean_of(squares)));
    }
  }
  return results;
}

std::vector<Importance> permutation_importance(const PermutationProblem& problem,
                                               Exchange exchange) {
  const PermutationScorer scorer(problem, std::move(exchange));
  std::vector<std::vector<double>> cells;
  for (size_t group = 0; group < scorer.groups(); ++group) {
    for (size_t k = 0; k < scorer.repeats(); ++k) cells.push_back(scorer.decreases(group, k));
  }
  return summarise(problem.metrics, scorer.baselines(), scorer.repeats(), cells);
}

}  // namespace outerloop::interp
