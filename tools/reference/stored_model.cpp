#include "reference/stored_model.h"

#include <fmt/format.h>

#include <cmath>

#include "outerloop/base/error.h"

namespace outerloop::reference {

namespace {

using interp::TableView;

std::vector<double> per_column(const Document& document, const std::string& path, size_t columns) {
  std::vector<double> values = document.numbers(path);
  if (!values.empty() && values.size() % columns == 0) return values;
  throw BadInput(fmt::format("{}: {}: {} numbers do not fit tables of {} columns", document.name(),
                             path, values.size(), columns));
}

struct Linear {
  std::vector<double> coefficients;
  double intercept;

  Linear(const Document& document, const std::string& group, size_t columns)
      : coefficients(per_column(document, group + "/coef", columns)),
        intercept(document.number(group + "/intercept")) {
    if (coefficients.size() == columns) return;
    throw BadInput(fmt::format("{}: {}/coef: expected {} numbers, got {}", document.name(), group,
                               columns, coefficients.size()));
  }
  double operator()(std::span<const double> row) const {
    double value = row[0] * coefficients[0];
    for (size_t j = 1; j < row.size(); ++j) value += row[j] * coefficients[j];
    return value + intercept;
  }
};

// A model that answers row by row with one number.
template <class Answer>
interp::Model by_row(Answer answer) {
  return {.width = 1,
          .predict = [answer = std::move(answer)](const TableView& x, std::span<double> out) {
            for (size_t i = 0; i < x.rows(); ++i) out[i] = answer(x.row(i));
          }};
}

}  // namespace

size_t nearest_centroid(const TableView& centroids, std::span<const double> x) {
  size_t nearest = 0;
  double least = 0;
  for (size_t c = 0; c < centroids.rows(); ++c) {
    const auto centroid = centroids.row(c);
    double distance = 0;
    for (size_t j = 0; j < x.size(); ++j) {
      distance += (x[j] - centroid[j]) * (x[j] - centroid[j]);
    }
    if (c > 0 && !(distance < least)) continue;
    nearest = c;
    least = distance;
  }
  return nearest;
}

interp::Model stored_model(const Document& document, const std::string& group, size_t columns) {
  const std::string kind = document.text(group + "/kind");
  if (kind == "linear") return by_row(Linear(document, group, columns));
  if (kind == "logistic") {
    return by_row([linear = Linear(document, group, columns)](std::span<const double> row) {
      return linear(row) > 0 ? 1.0 : 0.0;
    });
  }
  if (kind == "centroid") {
    return by_row([centroids = per_column(document, group + "/centroids", columns),
                   columns](std::span<const double> row) {
      return static_cast<double>(nearest_centroid(TableView(centroids, columns), row));
    });
  }
  if (kind == "constant") {
    return by_row(
        [label = document.number(group + "/class")](std::span<const double>) { return label; });
  }
  throw BadInput(
      fmt::format("{}: {}: no model is of kind '{}'; there are linear, logistic, "
                  "centroid, constant",
                  document.name(), group, kind));
}

interp::Model stored_probabilities(const Document& document, const std::string& group,
                                   size_t columns) {
  if (document.text(group + "/kind") != "logistic") {
    throw BadInput(
        fmt::format("{}: {}: only logistic models say probabilities", document.name(), group));
  }
  return by_row([linear = Linear(document, group, columns)](std::span<const double> row) {
    return 1 / (1 + std::exp(-linear(row)));
  });
}

}  // namespace outerloop::reference
