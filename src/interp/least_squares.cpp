#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <optional>

#include "interp/simple_fit.h"
#include "outerloop/base/error.h"
#include "outerloop/base/pairwise_sum.h"

namespace outerloop::interp {

namespace {

double norm(std::span<const double> values) {
  double squares = 0;
  for (const double value : values) squares += value * value;
  return std::sqrt(squares);
}

double dot(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// Mirrors `values` at the plane that is normal to `reflector`.
void reflect(std::span<const double> reflector, std::span<double> values) {
  const double squares = dot(reflector, reflector);
  if (squares == 0) return;
  const double factor = 2 * dot(reflector, values) / squares;
  for (size_t i = 0; i < values.size(); ++i) values[i] -= factor * reflector[i];
}

// Values minus their weighted mean, times the root of the weight.
struct Centred {
  std::vector<double> values;
  double mean = 0;

  Centred(std::vector<double> all, std::span<const double> weights) : values(std::move(all)) {
    if (weights.empty()) {
      mean = mean_of(values);
    } else {
      std::vector<double> products(values.size());
      for (size_t i = 0; i < values.size(); ++i) products[i] = weights[i] * values[i];
      mean = pairwise_sum(products) / pairwise_sum(weights);
    }
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] -= mean;
      if (!weights.empty()) values[i] *= std::sqrt(weights[i]);
    }
  }
};

// Over the rows that count.
bool is_constant(const TableView& x, size_t j, std::span<const double> weights) {
  std::optional<double> known;
  for (size_t i = 0; i < x.rows(); ++i) {
    if (!weights.empty() && weights[i] == 0) continue;
    if (x.row(i)[j] != known.value_or(x.row(i)[j])) return false;
    known = x.row(i)[j];
  }
  return true;
}

}  // namespace

LinearFit least_squares(const TableView& x, std::span<const double> targets,
                        std::span<const double> weights, std::span<const std::string> columns) {
  const size_t rows = x.rows();
  Centred y({targets.begin(), targets.end()}, weights);
  std::vector<Centred> basis;  // reflected columns: those of R
  std::vector<size_t> places;  // of the columns that vary
  for (size_t j = 0; j < x.columns(); ++j) {
    if (is_constant(x, j, weights)) continue;
    std::vector<double> values;
    for (size_t i = 0; i < rows; ++i) values.push_back(x.row(i)[j]);
    basis.emplace_back(std::move(values), weights);
    places.push_back(j);
  }
  for (size_t k = 0; k < basis.size(); ++k) {
    const double whole = norm(basis[k].values);
    const size_t done = std::min(k, rows);
    const auto rest = std::span(basis[k].values).subspan(done);
    const double length = norm(rest);
    if (!(length > 1e-12 * whole)) {
      throw BadInput(
          fmt::format("feature '{}' is a linear combination of features before it{}; "
                      "leave one out",
                      columns[places[k]], rows <= x.columns() ? " (there are too few rows)" : ""));
    }
    std::vector<double> reflector(rest.begin(), rest.end());
    reflector[0] += rest[0] < 0 ? -length : length;
    for (size_t later = k; later < basis.size(); ++later) {
      reflect(reflector, std::span(basis[later].values).subspan(k));
    }
    reflect(reflector, std::span(y.values).subspan(k));
  }
  LinearFit fit{.coefficients = std::vector<double>(x.columns()), .intercept = y.mean};
  for (size_t k = basis.size(); k-- > 0;) {
    double value = y.values[k];
    for (size_t later = k + 1; later < basis.size(); ++later) {
      value -= basis[later].values[k] * fit.coefficients[places[later]];
    }
    fit.coefficients[places[k]] = value / basis[k].values[k];
  }
  for (size_t k = 0; k < basis.size(); ++k) {
    fit.intercept -= basis[k].mean * fit.coefficients[places[k]];
  }
  return fit;
}

}  // namespace outerloop::interp
