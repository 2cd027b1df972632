#include "outerloop/interp/simple_models.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "interp/simple_fit.h"
#include "outerloop/base/error.h"

namespace outerloop::interp {

namespace {

// A model that answers each row by itself.
template <class Answer>
Model by_row(size_t width, Answer answer) {
  return {.width = width, .predict = [=](const TableView& x, std::span<double> out) {
            for (size_t i = 0; i < x.rows(); ++i) answer(x.row(i), out.subspan(i * width, width));
          }};
}

double linear_part(std::span<const double> row, std::span<const double> coefficients) {
  double value = 0;
  for (size_t j = 0; j < row.size(); ++j) value += row[j] * coefficients[j];
  return value;
}

}  // namespace

size_t count_classes(std::span<const double> targets) {
  constexpr double kMost = 1000;
  double last = 0;
  for (const double target : targets) {
    if (!(target >= 0 && target < kMost && target == std::floor(target))) {
      throw BadInput(
          fmt::format("a classifier needs classes 0, 1, … below {} or words as targets, "
                      "got {}",
                      kMost, target));
    }
    last = std::max(last, target);
  }
  if (last < 1) throw BadInput("a classifier needs two classes, the target has one");
  return static_cast<size_t>(last) + 1;
}

SimpleModel fit_least_squares(const TableView& x, std::span<const double> targets,
                              std::span<const double> weights,
                              std::span<const std::string> columns) {
  SimpleModel fitted;
  const LinearFit fit = least_squares(x, targets, weights, columns);
  fitted.coefficients = fit.coefficients;
  fitted.offsets = {fit.intercept};
  fitted.model = by_row(1, [fit](std::span<const double> row, std::span<double> out) {
    out[0] = linear_part(row, fit.coefficients) + fit.intercept;
  });
  return fitted;
}

SimpleModel fit_logistic(const TableView& x, std::span<const double> targets,
                         std::span<const double> weights, std::span<const std::string>) {
  const size_t classes = count_classes(targets);
  const size_t columns = x.columns();
  SimpleModel fitted;
  // (classes, columns + 1), the intercept last.
  const std::vector<double> parameters = multinomial(x, targets, weights, classes);
  for (size_t c = 0; c < classes; ++c) {
    const auto row = std::span(parameters).subspan(c * (columns + 1), columns + 1);
    fitted.coefficients.insert(fitted.coefficients.end(), row.begin(), row.end() - 1);
    fitted.offsets.push_back(row.back());
  }
  fitted.model = by_row(classes, [parameters](std::span<const double> row, std::span<double> out) {
    probabilities(row, parameters, out);
  });
  return fitted;
}

SimpleModel fit_centroids(const TableView& x, std::span<const double> targets,
                          std::span<const double> weights, std::span<const std::string>) {
  const size_t classes = count_classes(targets);
  const size_t columns = x.columns();
  SimpleModel fitted;
  std::vector<double>& centroids = fitted.coefficients;
  centroids.resize(classes * columns);
  std::vector<double> totals(classes);
  for (size_t i = 0; i < x.rows(); ++i) {
    const auto c = static_cast<size_t>(targets[i]);
    const double weight = weights.empty() ? 1 : weights[i];
    totals[c] += weight;
    for (size_t j = 0; j < columns; ++j) centroids[c * columns + j] += weight * x.row(i)[j];
  }
  for (size_t c = 0; c < classes; ++c) {
    if (!(totals[c] > 0)) throw BadInput(fmt::format("class {} has no rows to take a mean of", c));
    for (size_t j = 0; j < columns; ++j) centroids[c * columns + j] /= totals[c];
  }
  fitted.model = by_row(classes, [centroids](std::span<const double> row, std::span<double> out) {
    for (size_t c = 0; c < out.size(); ++c) {
      double distance = 0;
      for (size_t j = 0; j < row.size(); ++j) {
        const double difference = row[j] - centroids[c * row.size() + j];
        distance += difference * difference;
      }
      out[c] = -distance;
    }
  });
  return fitted;
}

const std::vector<SimpleModelKind>& simple_models() {
  static const std::vector<SimpleModelKind> kinds = {
      {"linear", "least squares; classes count as numbers 0, 1, …", Output::number,
       fit_least_squares},
      {"logistic", "multinomial logistic regression with a ridge of 1", Output::probabilities,
       fit_logistic},
      {"centroid", "the class of the nearest mean", Output::label, fit_centroids},
  };
  return kinds;
}

}  // namespace outerloop::interp
