#include "outerloop/interp/linear_tasks.h"

#include <algorithm>
#include <cmath>

#include "interp/cholesky.h"
#include "outerloop/base/error.h"

namespace outerloop::interp {
namespace {

// Sums over rows of (1, x)' (1, x) and (1, x)' y.
struct Moments {
  explicit Moments(size_t weights) : size(weights), xx(weights * weights), xy(weights) {}

  void add(const TaskRows& rows) {
    std::vector<double> row(size, 1.0);
    for (size_t r = 0; r < rows.y.size(); ++r) {
      std::copy_n(rows.x.begin() + static_cast<std::ptrdiff_t>(r * rows.columns), rows.columns,
                  row.begin() + 1);
      for (size_t i = 0; i < size; ++i) {
        if (row[i] == 0) continue;  // columns of categories are nearly all zeros
        for (size_t j = 0; j < size; ++j) xx[i * size + j] += row[i] * row[j];
        xy[i] += row[i] * rows.y[r];
      }
    }
  }

  size_t size;
  std::vector<double> xx;
  std::vector<double> xy;
};

// Not all zeros: a few of many, for one task's categories.
std::vector<size_t> used_columns(std::span<const TaskRows> tasks) {
  std::vector<bool> is_used(tasks[0].columns);
  for (const TaskRows& rows : tasks) {
    for (size_t i = 0; i < rows.x.size(); ++i) {
      if (rows.x[i] != 0) is_used[i % rows.columns] = true;
    }
  }
  std::vector<size_t> used;
  for (size_t c = 0; c < is_used.size(); ++c) {
    if (is_used[c]) used.push_back(c);
  }
  return used;
}

TaskRows only(const TaskRows& rows, std::span<const size_t> columns) {
  TaskRows result{.columns = columns.size(), .x = {}, .y = rows.y};
  for (size_t r = 0; r < rows.y.size(); ++r) {
    for (const size_t c : columns) result.x.push_back(rows.x[r * rows.columns + c]);
  }
  return result;
}

// Of a symmetric positive definite matrix, in place, by Gauss and Jordan.
void invert(std::vector<double>& a, size_t n) {
  for (size_t k = 0; k < n; ++k) {
    double* const row_k = &a[k * n];
    if (!(row_k[k] > 0)) throw SystemFailure("linear baseline: a matrix lost its rank");
    const double scale = 1 / row_k[k];
    row_k[k] = 1;
    for (size_t j = 0; j < n; ++j) row_k[j] *= scale;
    for (size_t i = 0; i < n; ++i) {
      if (i == k) continue;
      double* const row_i = &a[i * n];
      const double factor = row_i[k];
      row_i[k] = 0;
      for (size_t j = 0; j < n; ++j) row_i[j] -= factor * row_k[j];
    }
  }
}

std::vector<double> product(std::span<const double> matrix, std::span<const double> vector) {
  std::vector<double> result(vector.size());
  for (size_t i = 0; i < vector.size(); ++i) {
    for (size_t j = 0; j < vector.size(); ++j) {
      result[i] += matrix[i * vector.size() + j] * vector[j];
    }
  }
  return result;
}

// Of a task's weights given rows of it.
class Posterior {
 public:
  explicit Posterior(const LinearPrior& prior) : prior_(prior), precision_(prior.covariance) {
    invert(precision_, prior.mean.size());
    pull_ = product(precision_, prior.mean);
  }

  void find(const Moments& moments) {
    if (moments.xx != xx_) {  // tasks with the same inputs share the covariance
      xx_ = moments.xx;
      covariance_ = precision_;
      for (size_t i = 0; i < xx_.size(); ++i) covariance_[i] += xx_[i] / prior_.noise;
      invert(covariance_, moments.size);
    }
    std::vector<double> right = pull_;
    for (size_t i = 0; i < right.size(); ++i) right[i] += moments.xy[i] / prior_.noise;
    mean_ = product(covariance_, right);
  }

  const LinearWeights& mean() const { return mean_; }
  const std::vector<double>& covariance() const { return covariance_; }
  // The rows' share in the errors' expected squares.
  double spread() const {
    double kept = 0;  // trace of precision times covariance
    for (size_t i = 0; i < covariance_.size(); ++i) kept += precision_[i] * covariance_[i];
    return prior_.noise * (static_cast<double>(mean_.size()) - kept);
  }

 private:
  const LinearPrior& prior_;
  std::vector<double> precision_;  // inverse of the prior's covariance
  std::vector<double> pull_;       // precision times the prior's mean
  std::vector<double> xx_;
  LinearWeights mean_;
  std::vector<double> covariance_;
};

double trace(std::span<const double> matrix, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; ++i) sum += matrix[i * n + i];
  return sum;
}

LinearPrior one_round(std::span<const TaskRows> tasks, const LinearPrior& prior) {
  const size_t n = prior.mean.size();
  Posterior p(prior);
  LinearPrior next{.mean = LinearWeights(n), .covariance = std::vector<double>(n * n), .noise = 0};
  double rows = 0;
  for (const TaskRows& task : tasks) {
    Moments moments(n);
    moments.add(task);
    p.find(moments);
    const auto count = static_cast<double>(task.y.size());
    next.noise += count * mean_squared_error(p.mean(), task) + p.spread();
    rows += count;
    for (size_t i = 0; i < n; ++i) {
      next.mean[i] += p.mean()[i];
      for (size_t j = 0; j < n; ++j) {
        next.covariance[i * n + j] += p.covariance()[i * n + j] + p.mean()[i] * p.mean()[j];
      }
    }
  }
  const auto count = static_cast<double>(tasks.size());
  next.noise = std::max(next.noise / rows, 1e-9);
  for (double& value : next.mean) value /= count;
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < n; ++j) {
      double& value = next.covariance[i * n + j];
      value = value / count - next.mean[i] * next.mean[j] + (i == j ? 1e-9 : 0);
    }
  }
  return next;
}

}  // namespace

double mean_squared_error(const LinearWeights& weights, const TaskRows& rows) {
  double sum = 0;
  for (size_t r = 0; r < rows.y.size(); ++r) {
    double error = weights[0] - rows.y[r];
    for (size_t c = 0; c < rows.columns; ++c)
      error += rows.x[r * rows.columns + c] * weights[c + 1];
    sum += error * error;
  }
  return sum / static_cast<double>(rows.y.size());
}

LinearWeights fit_ridge(std::span<const TaskRows> tasks, double strength) {
  if (tasks.empty() || !(strength > 0)) {
    throw BadInput("ridge: expected rows and a strength above 0");
  }
  const std::vector<size_t> used = used_columns(tasks);
  Moments moments(used.size() + 1);
  for (const TaskRows& rows : tasks) moments.add(only(rows, used));
  for (size_t i = 1; i < moments.size; ++i) moments.xx[i * moments.size + i] += strength;
  if (!solve_spd<double>(moments.xx, moments.xy)) {
    throw BadInput("ridge: the columns depend on each other; a larger strength helps");
  }
  LinearWeights weights(tasks[0].columns + 1);  // unused columns keep 0
  weights[0] = moments.xy[0];
  for (size_t i = 0; i < used.size(); ++i) weights[used[i] + 1] = moments.xy[i + 1];
  return weights;
}

LinearPrior fit_linear_prior(std::span<const TaskRows> tasks, double tolerance, int most_rounds) {
  LinearPrior prior{.mean = fit_ridge(tasks, 1.0)};
  const size_t n = prior.mean.size();
  prior.covariance.resize(n * n);
  for (size_t i = 0; i < n; ++i) prior.covariance[i * n + i] = 1;
  const auto differs = [tolerance](double a, double b) {
    return std::abs(a - b) > tolerance * std::abs(b);
  };
  for (int round = 0; round < most_rounds; ++round) {
    LinearPrior next = one_round(tasks, prior);
    const bool goes_on = differs(next.noise, prior.noise) ||
                         differs(trace(next.covariance, n), trace(prior.covariance, n));
    prior = std::move(next);
    if (!goes_on) break;
  }
  return prior;
}

LinearWeights posterior_mean(const LinearPrior& prior, const TaskRows& support) {
  Moments moments(prior.mean.size());
  moments.add(support);
  Posterior posterior(prior);
  posterior.find(moments);
  return posterior.mean();
}

}  // namespace outerloop::interp
