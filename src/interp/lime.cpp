#include "outerloop/interp/lime.h"

#include <fmt/format.h>

#include "interp/cholesky.h"
#include "outerloop/base/error.h"
#include "outerloop/base/pairwise_sum.h"

namespace outerloop::interp {

namespace {

template <class T>
void check_inputs(std::span<const T> z, std::span<const T> y, std::span<const T> weights) {
  if (y.empty() || weights.size() != y.size() || z.empty() || z.size() % y.size() != 0) {
    throw BadInput(
        fmt::format("ridge regression needs rows with an answer and a weight each, got "
                    "{} numbers, {} answers, {} weights",
                    z.size(), y.size(), weights.size()));
  }
  for (const T weight : weights) {
    if (!(weight >= 0))
      throw BadInput(fmt::format("a weight must not be negative, got {}", weight));
  }
  if (!(pairwise_sum(weights) > 0)) throw BadInput("ridge regression needs a weight above 0");
}

// sum_i f(i), pairwise.
template <class T, class Term>
T sum_over(size_t count, Term term) {
  std::vector<T> terms(count);
  for (size_t i = 0; i < count; ++i) terms[i] = term(i);
  return pairwise_sum(terms);
}

}  // namespace

template <class T>
RidgeFit<T> weighted_ridge(std::span<const T> z, std::span<const T> y, std::span<const T> weights,
                           T alpha) {
  check_inputs(z, y, weights);
  const size_t rows = y.size();
  const size_t columns = z.size() / rows;
  const T total = pairwise_sum(weights);
  const T y_mean = sum_over<T>(rows, [&](size_t i) { return weights[i] * y[i]; }) / total;
  std::vector<T> z_mean(columns);
  std::vector<T> centred(z.begin(), z.end());
  for (size_t j = 0; j < columns; ++j) {
    z_mean[j] =
        sum_over<T>(rows, [&](size_t i) { return weights[i] * z[i * columns + j]; }) / total;
    for (size_t i = 0; i < rows; ++i) centred[i * columns + j] -= z_mean[j];
  }
  const auto product = [&](size_t j, auto&& other) {
    return sum_over<T>(rows,
                       [&](size_t i) { return weights[i] * centred[i * columns + j] * other(i); });
  };

  std::vector<T> gram(columns * columns);
  RidgeFit<T> fit;
  fit.coefficients.resize(columns);
  for (size_t j = 0; j < columns; ++j) {
    fit.coefficients[j] = product(j, [&](size_t i) { return y[i] - y_mean; });
    for (size_t k = 0; k <= j; ++k) {
      gram[j * columns + k] = product(j, [&](size_t i) { return centred[i * columns + k]; });
    }
    gram[j * columns + j] += alpha;
  }
  if (!solve_spd<T>(gram, fit.coefficients)) {
    throw BadInput(
        fmt::format("the columns are linearly dependent: ridge regression with alpha {} has no "
                    "single solution; raise alpha",
                    alpha));
  }

  const auto explained = [&](size_t i) {
    return sum_over<T>(columns,
                       [&](size_t j) { return centred[i * columns + j] * fit.coefficients[j]; });
  };
  fit.intercept =
      y_mean - sum_over<T>(columns, [&](size_t j) { return z_mean[j] * fit.coefficients[j]; });
  const T unexplained = sum_over<T>(rows, [&](size_t i) {
    const T error = y[i] - y_mean - explained(i);
    return weights[i] * error * error;
  });
  const T variation =
      sum_over<T>(rows, [&](size_t i) { return weights[i] * (y[i] - y_mean) * (y[i] - y_mean); });
  fit.weighted_r2 = 1 - unexplained / variation;
  return fit;
}

template RidgeFit<float> weighted_ridge(std::span<const float> z, std::span<const float> y,
                                        std::span<const float> weights, float alpha);
template RidgeFit<double> weighted_ridge(std::span<const double> z, std::span<const double> y,
                                         std::span<const double> weights, double alpha);

}  // namespace outerloop::interp
