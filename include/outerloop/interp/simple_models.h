#pragma once
// Models of a table that are fitted on the spot, to see what its columns are worth without any
// training.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "outerloop/interp/metrics.h"
#include "outerloop/interp/table.h"

namespace outerloop::interp {

struct SimpleModel {
  Model model;
  // What was fitted: (outputs, columns) and one offset per output, or the centroids (classes,
  // columns) and no offsets.
  std::vector<double> coefficients;
  std::vector<double> offsets;
};

// A kind of model as users name it.
struct SimpleModelKind {
  std::string_view name;
  std::string_view help;
  Output output;  // but of a number the targets are classes 0, 1, …
  // columns: names for messages. Throws BadInput when the data do not determine the model.
  SimpleModel (*fit)(const TableView& x, std::span<const double> targets,
                     std::span<const double> weights, std::span<const std::string> columns);

  bool classifies() const { return output != Output::number; }
  // That its predictions can be scored by, the default first.
  std::vector<std::string_view> metrics() const { return metrics_for(output); }
};
const std::vector<SimpleModelKind>& simple_models();

// Ordinary (or weighted) least squares with an intercept, by Householder reflections of the centred
// columns. A constant column has coefficient 0. Throws BadInput when a column is a linear
// combination of those before it. Predicts width 1: the products from left to right, then the
// intercept.
SimpleModel fit_least_squares(const TableView& x, std::span<const double> targets,
                              std::span<const double> weights,
                              std::span<const std::string> columns);

// Multinomial logistic regression, the sum of -w ln p plus half the squared coefficients
// (intercepts are free), by Newton's method. Predicts a probability per class.
SimpleModel fit_logistic(const TableView& x, std::span<const double> targets,
                         std::span<const double> weights, std::span<const std::string> columns);

// The class of the nearest mean. Predicts minus the squared distance to each.
SimpleModel fit_centroids(const TableView& x, std::span<const double> targets,
                          std::span<const double> weights, std::span<const std::string> columns);

}  // namespace outerloop::interp
