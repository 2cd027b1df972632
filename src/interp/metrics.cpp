#include "outerloop/interp/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <string>

#include "outerloop/base/error.h"
#include "outerloop/base/pairwise_sum.h"

namespace outerloop::interp {

namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

void check_sizes(std::span<const double> targets, const Predictions& predictions,
                 std::span<const double> weights) {
  const bool fits = predictions.width > 0 &&
                    predictions.values.size() == targets.size() * predictions.width &&
                    (weights.empty() || weights.size() == targets.size());
  if (fits && !targets.empty()) return;
  throw BadInput(
      fmt::format("a score needs one prediction (and weight) per row, got {} targets, {} "
                  "numbers predicted of width {}, {} weights",
                  targets.size(), predictions.values.size(), predictions.width, weights.size()));
}

void check_width(std::string_view metric, const Predictions& predictions, size_t most) {
  if (predictions.width <= most) return;
  throw BadInput(fmt::format("{} takes predictions of width {}, got width {}", metric,
                             most == 1 ? "1" : "1 or 2", predictions.width));
}

double weighted_sum(std::span<const double> values, std::span<const double> weights) {
  if (weights.empty()) return pairwise_sum(values);
  std::vector<double> products(values.size());
  for (size_t i = 0; i < values.size(); ++i) products[i] = weights[i] * values[i];
  return pairwise_sum(products);
}

// numpy.average.
double average(std::span<const double> values, std::span<const double> weights) {
  if (weights.empty()) return mean_of(values);
  return weighted_sum(values, weights) / pairwise_sum(weights);
}

// One number per row, averaged.
template <class PerRow>
double average_over_rows(size_t rows, std::span<const double> weights, PerRow per_row) {
  std::vector<double> values(rows);
  for (size_t i = 0; i < rows; ++i) values[i] = per_row(i);
  return average(values, weights);
}

}  // namespace

double r2_score(std::span<const double> targets, const Predictions& predictions,
                std::span<const double> weights) {
  check_sizes(targets, predictions, weights);
  check_width("r2", predictions, 1);
  if (targets.size() < 2) return kUndefined;
  const double mean = average(targets, weights);
  std::vector<double> errors(targets.size());
  std::vector<double> deviations(targets.size());
  for (size_t i = 0; i < targets.size(); ++i) {
    const double error = targets[i] - predictions.values[i];
    const double deviation = targets[i] - mean;
    errors[i] = error * error;
    deviations[i] = deviation * deviation;
  }
  const double unexplained = weighted_sum(errors, weights);
  const double total = weighted_sum(deviations, weights);
  if (unexplained == 0) return 1;
  return total == 0 ? 0 : 1 - unexplained / total;
}

double mean_squared_error(std::span<const double> targets, const Predictions& predictions,
                          std::span<const double> weights) {
  check_sizes(targets, predictions, weights);
  check_width("mse", predictions, 1);
  return average_over_rows(targets.size(), weights, [&](size_t i) {
    const double error = targets[i] - predictions.values[i];
    return error * error;
  });
}

double mean_absolute_error(std::span<const double> targets, const Predictions& predictions,
                           std::span<const double> weights) {
  check_sizes(targets, predictions, weights);
  check_width("mae", predictions, 1);
  return average_over_rows(targets.size(), weights,
                           [&](size_t i) { return std::abs(predictions.values[i] - targets[i]); });
}

double predicted_class(const Predictions& predictions, size_t row) {
  const auto scores = predictions.values.subspan(row * predictions.width, predictions.width);
  if (scores.size() == 1) return scores[0];
  return static_cast<double>(std::ranges::max_element(scores) - scores.begin());
}

double accuracy(std::span<const double> targets, const Predictions& predictions,
                std::span<const double> weights) {
  check_sizes(targets, predictions, weights);
  return average_over_rows(targets.size(), weights, [&](size_t i) {
    return predicted_class(predictions, i) == targets[i] ? 1.0 : 0.0;
  });
}

double balanced_accuracy(std::span<const double> targets, const Predictions& predictions,
                         std::span<const double> weights) {
  check_sizes(targets, predictions, weights);
  // Weight of each target's rows by the class said. Classes that are only said count as columns, so
  // that sums over a row have numpy's order.
  std::map<double, size_t> classes;
  for (size_t i = 0; i < targets.size(); ++i) {
    classes.emplace(targets[i], 0);
    classes.emplace(predicted_class(predictions, i), 0);
  }
  size_t place = 0;
  for (auto& [label, index] : classes) index = place++;
  std::vector<double> confusion(classes.size() * classes.size());
  for (size_t i = 0; i < targets.size(); ++i) {
    const size_t row = classes.at(targets[i]);
    const size_t column = classes.at(predicted_class(predictions, i));
    confusion[row * classes.size() + column] += weights.empty() ? 1 : weights[i];
  }
  std::vector<double> recalls;
  for (size_t c = 0; c < classes.size(); ++c) {
    const auto row = std::span<const double>(confusion).subspan(c * classes.size(), classes.size());
    const double recall = row[c] / pairwise_sum(row);
    if (!std::isnan(recall)) recalls.push_back(recall);
  }
  return recalls.empty() ? kUndefined : mean_of(recalls);
}

namespace {

// Probability of class c at a row; width 1 holds that of class 1.
double probability(const Predictions& predictions, size_t row, size_t c) {
  if (predictions.width > 1) return predictions.values[row * predictions.width + c];
  return c == 1 ? predictions.values[row] : 1 - predictions.values[row];
}

size_t class_count(const Predictions& predictions) {
  return std::max<size_t>(predictions.width, 2);
}

size_t class_of(double target, size_t classes) {
  if (target >= 0 && target < static_cast<double>(classes) && target == std::floor(target)) {
    return static_cast<size_t>(target);
  }
  throw BadInput(fmt::format("expected a class 0 … {}, got {}", classes - 1, target));
}

}  // namespace

double log_loss(std::span<const double> targets, const Predictions& predictions,
                std::span<const double> weights) {
  check_sizes(targets, predictions, weights);
  constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
  const size_t classes = class_count(predictions);
  return average_over_rows(targets.size(), weights, [&](size_t i) {
    const double p = probability(predictions, i, class_of(targets[i], classes));
    return -std::log(std::clamp(p, kEpsilon, 1 - kEpsilon));
  });
}

double brier_loss(std::span<const double> targets, const Predictions& predictions,
                  std::span<const double> weights) {
  check_sizes(targets, predictions, weights);
  const size_t classes = class_count(predictions);
  std::vector<double> squares(classes);
  const double loss = average_over_rows(targets.size(), weights, [&](size_t i) {
    const size_t target = class_of(targets[i], classes);
    for (size_t c = 0; c < classes; ++c) {
      const double difference = (c == target ? 1 : 0) - probability(predictions, i, c);
      squares[c] = difference * difference;
    }
    return pairwise_sum(squares);
  });
  return classes == 2 ? 0.5 * loss : loss;
}

namespace {

// Weights of positives and negatives at or above each distinct score, from the highest.
struct RocCurve {
  std::vector<double> positives;
  std::vector<double> negatives;

  void append(double positive, double negative) {
    positives.push_back(positive);
    negatives.push_back(negative);
  }
};

RocCurve roc_curve(std::span<const double> targets, const Predictions& predictions,
                   std::span<const double> weights) {
  const auto score = [&](size_t row) {
    return predictions.values[(row + 1) * predictions.width - 1];
  };
  std::vector<size_t> order;
  for (size_t i = 0; i < targets.size(); ++i) {
    if (weights.empty() || weights[i] != 0) order.push_back(i);
  }
  std::ranges::stable_sort(order, std::greater(), score);
  RocCurve curve;
  double positive = 0;
  double negative = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    const double weight = weights.empty() ? 1 : weights[order[i]];
    (class_of(targets[order[i]], 2) == 1 ? positive : negative) += weight;
    const bool last_of_its_score = i + 1 == order.size() || score(order[i + 1]) != score(order[i]);
    if (last_of_its_score) curve.append(positive, negative);
  }
  return curve;
}

// Without the points in between two others on a line, as scikit-learn: the area is the same, but
// not its rounding.
RocCurve with_corners_alone(const RocCurve& curve) {
  const auto bends = [](const std::vector<double>& y, size_t i) {
    return (y[i + 1] - y[i]) - (y[i] - y[i - 1]) != 0;
  };
  const size_t points = curve.positives.size();
  RocCurve corners;
  corners.append(0, 0);
  for (size_t i = 0; i < points; ++i) {
    if (i == 0 || i + 1 == points || bends(curve.positives, i) || bends(curve.negatives, i)) {
      corners.append(curve.positives[i], curve.negatives[i]);
    }
  }
  return corners;
}

}  // namespace

double auroc(std::span<const double> targets, const Predictions& predictions,
             std::span<const double> weights) {
  check_sizes(targets, predictions, weights);
  check_width("auroc", predictions, 2);
  const RocCurve curve = with_corners_alone(roc_curve(targets, predictions, weights));
  const double positives = curve.positives.back();
  const double negatives = curve.negatives.back();
  if (!(positives > 0 && negatives > 0)) return kUndefined;
  std::vector<double> areas;
  for (size_t i = 0; i + 1 < curve.positives.size(); ++i) {
    const double width = curve.negatives[i + 1] / negatives - curve.negatives[i] / negatives;
    const double heights = curve.positives[i + 1] / positives + curve.positives[i] / positives;
    areas.push_back(width * heights / 2.0);
  }
  return pairwise_sum(areas);
}

std::span<const Metric> metrics() {
  static constexpr Metric kMetrics[] = {
      {"r2", Output::number, true, true, r2_score, "two rows or more"},
      {"mse", Output::number, false, true, mean_squared_error},
      {"mae", Output::number, false, true, mean_absolute_error},
      {"accuracy", Output::label, true, true, accuracy},
      {"balanced_accuracy", Output::label, true, true, balanced_accuracy},
      {"log_loss", Output::probabilities, false, true, log_loss},
      {"auroc", Output::probabilities, true, false, auroc, "rows of both classes", true},
      {"brier", Output::probabilities, false, true, brier_loss},
  };
  return kMetrics;
}

const Metric& metric_named(std::string_view name) {
  std::string known;
  for (const Metric& metric : metrics()) {
    if (metric.name == name) return metric;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", metric.name);
  }
  throw BadInput(fmt::format("no metric is called '{}'; there are {}", name, known));
}

std::vector<std::string_view> metrics_for(Output said) {
  std::vector<std::string_view> names;
  for (const Metric& metric : metrics()) {
    const bool of_label = metric.of == Output::label && said == Output::probabilities;
    if (metric.of == said || of_label) names.push_back(metric.name);
  }
  return names;
}

}  // namespace outerloop::interp
