#pragma once
// Permutation importance of groups of columns of a table (Breiman 2001): how much a score falls
// when the group's values change rows. Positive: the model needs the group.
//
// Which row gives its value to which is an Exchange, so that the draws of scikit-learn and others
// serve the same scoring.

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "outerloop/interp/exchange.h"
#include "outerloop/interp/feature_groups.h"
#include "outerloop/interp/gather.h"
#include "outerloop/interp/metrics.h"

namespace outerloop::interp {

// What is scored. Views: the data must outlive it.
struct PermutationProblem {
  BlockModel model;
  TableView x;
  std::span<const double> targets;  // per row of x
  std::span<const double> weights;  // per row, or none
  std::span<const Metric> metrics;
  std::span<const FeatureGroup> groups;
  std::span<const double> residuals = {};  // (rows, columns) of ridge_residuals, or none
};

// Scores any (group, repeat) by itself, in any order and thread: equal arguments give equal bits.
class PermutationScorer {
 public:
  // Throws BadInput when sizes do not fit, when an exact exchange meets a metric that is no mean
  // over rows or a model whose answers depend on other rows, or when a score is not finite.
  PermutationScorer(const PermutationProblem& problem, Exchange exchange);

  size_t groups() const { return problem_.groups.size(); }
  size_t repeats() const { return exchange_.repeats; }
  std::span<const double> baselines() const { return baselines_; }  // per metric
  // Per metric: baseline - score. Throws BadInput when a score is not finite.
  std::vector<double> decreases(size_t group, size_t repeat) const;

 private:
  std::vector<double> scores(const GatheredRows& rows, std::span<const double> targets,
                             std::span<const double> weights) const;

  PermutationProblem problem_;
  Exchange exchange_;
  TableView residuals_;
  std::vector<double> targets_;  // of the places
  std::vector<double> weights_;  // of the places, or none
  std::vector<double> baselines_;
};

struct Importance {
  std::string_view metric;
  double baseline = 0;  // score, untouched
  size_t repeats = 0;
  std::vector<double> decreases;  // (groups, repeats): baseline - score
  std::vector<double> mean;       // (groups) over repeats
  std::vector<double> deviation;  // (groups) over repeats, divided by their number
};

// Of what decreases() gave for every (group, repeat), in that order: one per metric.
std::vector<Importance> summarise(std::span<const Metric> metrics,
                                  std::span<const double> baselines, size_t repeats,
                                  std::span<const std::vector<double>> cells);

// All cells one after the other. Element for element scikit-learn's numbers with sklearn_exchange.
std::vector<Importance> permutation_importance(const PermutationProblem& problem,
                                               Exchange exchange);

}  // namespace outerloop::interp
