#include <algorithm>
#include <cmath>

#include "interp/cholesky.h"
#include "interp/simple_fit.h"
#include "outerloop/base/error.h"
#include "outerloop/base/pairwise_sum.h"

namespace outerloop::interp {

void probabilities(std::span<const double> row, std::span<const double> parameters,
                   std::span<double> out) {
  const size_t width = row.size() + 1;
  for (size_t c = 0; c < out.size(); ++c) {
    out[c] = parameters[c * width + row.size()];
    for (size_t j = 0; j < row.size(); ++j) out[c] += row[j] * parameters[c * width + j];
  }
  const double greatest = *std::ranges::max_element(out);
  double total = 0;
  for (double& value : out) total += value = std::exp(value - greatest);
  for (double& value : out) value /= total;
}

namespace {

class Multinomial {
 public:
  Multinomial(const TableView& x, std::span<const double> targets, std::span<const double> weights,
              size_t classes)
      : x_(x), targets_(targets), weights_(weights), classes_(classes), width_(x.columns() + 1) {}

  size_t size() const { return classes_ * width_; }

  double loss(std::span<const double> parameters) const {
    std::vector<double> p(classes_);
    std::vector<double> terms;
    for (size_t i = 0; i < x_.rows(); ++i) {
      probabilities(x_.row(i), parameters, p);
      const double surprise = -std::log(p[static_cast<size_t>(targets_[i])]);
      terms.push_back(weight(i) == 0 ? 0 : weight(i) * surprise);  // 0 times infinity too
    }
    double sum = pairwise_sum(terms);
    for (size_t k = 0; k < size(); ++k) {
      if (!is_intercept(k)) sum += parameters[k] * parameters[k] / 2;
    }
    return sum;
  }

  // The gradient and the lower triangle of the Hessian.
  void derivatives(std::span<const double> parameters, std::span<double> gradient,
                   std::span<double> hessian) const {
    for (size_t k = 0; k < size(); ++k) {
      gradient[k] = is_intercept(k) ? 0 : parameters[k];
      // The mean of the intercepts changes no probability: this keeps it at 0.
      for (size_t l = 0; l <= k; ++l) {
        hessian[k * size() + l] = is_intercept(k) && is_intercept(l) ? 1 : 0;
      }
      if (!is_intercept(k)) hessian[k * size() + k] = 1;
    }
    std::vector<double> p(classes_);
    for (size_t i = 0; i < x_.rows(); ++i) {
      probabilities(x_.row(i), parameters, p);
      add_row(i, p, gradient, hessian);
    }
  }

 private:
  bool is_intercept(size_t k) const { return k % width_ == width_ - 1; }
  double weight(size_t i) const { return weights_.empty() ? 1 : weights_[i]; }
  double input(size_t i, size_t j) const { return j + 1 == width_ ? 1 : x_.row(i)[j]; }

  void add_row(size_t i, std::span<const double> p, std::span<double> gradient,
               std::span<double> hessian) const {
    for (size_t k = 0; k < size(); ++k) {
      const size_t c = k / width_;
      const double z = weight(i) * input(i, k % width_);
      gradient[k] += z * (p[c] - (targets_[i] == static_cast<double>(c) ? 1 : 0));
      for (size_t l = 0; l <= k; ++l) {
        const size_t d = l / width_;
        const double curvature = c == d ? p[c] * (1 - p[c]) : -p[c] * p[d];
        hessian[k * size() + l] += z * input(i, l % width_) * curvature;
      }
    }
  }

  TableView x_;
  std::span<const double> targets_;
  std::span<const double> weights_;
  size_t classes_;
  size_t width_;
};

}  // namespace

std::vector<double> multinomial(const TableView& x, std::span<const double> targets,
                                std::span<const double> weights, size_t classes) {
  constexpr int kMostSteps = 100;
  const Multinomial model(x, targets, weights, classes);
  std::vector<double> parameters(model.size());
  std::vector<double> step(model.size());
  std::vector<double> hessian(model.size() * model.size());
  double loss = model.loss(parameters);
  for (int k = 0; k < kMostSteps; ++k) {
    model.derivatives(parameters, step, hessian);
    const std::vector<double> gradient = step;
    if (!solve_spd<double>(hessian, step)) break;
    double slope = 0;
    for (size_t i = 0; i < step.size(); ++i) slope += gradient[i] * step[i];
    if (slope <= 1e-12 * (1 + loss)) return parameters;
    // Half the step as long as it does not lower the loss (Armijo).
    double length = 1;
    std::vector<double> next(parameters.size());
    double lower = INFINITY;
    while (true) {
      for (size_t i = 0; i < next.size(); ++i) next[i] = parameters[i] - length * step[i];
      lower = model.loss(next);
      if (lower <= loss - 1e-4 * length * slope || length < 1e-10) break;
      length /= 2;
    }
    if (!(lower < loss)) break;
    parameters = next;
    loss = lower;
  }
  throw BadInput(
      "the logistic model found no minimum; scale the features to similar sizes or take another "
      "model");
}

}  // namespace outerloop::interp
