#include "outerloop/interp/calibration.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "outerloop/base/error.h"
#include "outerloop/base/pairwise_sum.h"

namespace outerloop::interp {

namespace {

void check_labels(const TableView& scores, std::span<const double> labels) {
  if (scores.rows() == 0 || labels.size() != scores.rows()) {
    throw BadInput(fmt::format("calibration needs a label per row, got {} rows and {} labels",
                               scores.rows(), labels.size()));
  }
  for (const double label : labels) {
    if (label >= 0 && label < static_cast<double>(scores.columns()) && label == std::floor(label)) {
      continue;
    }
    throw BadInput(fmt::format("expected a label 0 … {}, got {}",
                               static_cast<int64_t>(scores.columns()) - 1, label));
  }
}

template <class PerRow>
double mean_over_rows(size_t rows, PerRow per_row) {
  std::vector<double> values(rows);
  for (size_t i = 0; i < rows; ++i) values[i] = per_row(i);
  return mean_of(values);
}

// Softmax of one row into `p`; returns the log of the sum of exponentials.
double softmax_row(std::span<const double> logits, double inverse_temperature,
                   std::span<double> p) {
  for (size_t c = 0; c < p.size(); ++c) p[c] = inverse_temperature * logits[c];
  const double greatest = *std::ranges::max_element(p);
  for (double& value : p) value = std::exp(value - greatest);
  const double total = pairwise_sum(std::span<const double>(p));
  for (double& value : p) value /= total;
  return greatest + std::log(total);
}

}  // namespace

std::vector<double> softmax(const TableView& logits, double inverse_temperature) {
  std::vector<double> result(logits.values().size());
  const size_t classes = logits.columns();
  for (size_t i = 0; i < logits.rows(); ++i) {
    softmax_row(logits.row(i), inverse_temperature,
                std::span(result).subspan(i * classes, classes));
  }
  return result;
}

double negative_log_likelihood(const TableView& probabilities, std::span<const double> labels) {
  check_labels(probabilities, labels);
  return mean_over_rows(labels.size(), [&](size_t i) {
    return -std::log(probabilities.row(i)[static_cast<size_t>(labels[i])]);
  });
}

double logit_nll(const TableView& logits, std::span<const double> labels,
                 double inverse_temperature) {
  check_labels(logits, labels);
  std::vector<double> p(logits.columns());
  return mean_over_rows(labels.size(), [&](size_t i) {
    const double log_total = softmax_row(logits.row(i), inverse_temperature, p);
    return log_total - inverse_temperature * logits.row(i)[static_cast<size_t>(labels[i])];
  });
}

double logit_nll_slope(const TableView& logits, std::span<const double> labels,
                       double inverse_temperature) {
  check_labels(logits, labels);
  std::vector<double> p(logits.columns());
  return mean_over_rows(labels.size(), [&](size_t i) {
    // sum_c p_c (z_c - z_label): small where the label has nearly all the weight.
    const auto z = logits.row(i);
    softmax_row(z, inverse_temperature, p);
    for (size_t c = 0; c < p.size(); ++c) p[c] *= z[c] - z[static_cast<size_t>(labels[i])];
    return pairwise_sum(p);
  });
}

double brier_score(const TableView& probabilities, std::span<const double> labels) {
  check_labels(probabilities, labels);
  std::vector<double> squares(probabilities.columns());
  return mean_over_rows(labels.size(), [&](size_t i) {
    for (size_t c = 0; c < squares.size(); ++c) {
      const double hit = static_cast<size_t>(labels[i]) == c ? 1 : 0;
      const double difference = probabilities.row(i)[c] - hit;
      squares[c] = difference * difference;
    }
    return pairwise_sum(squares);
  });
}

TopClass top_class(const TableView& probabilities, std::span<const double> labels) {
  check_labels(probabilities, labels);
  TopClass result;
  for (size_t i = 0; i < labels.size(); ++i) {
    const auto row = probabilities.row(i);
    const auto top = std::ranges::max_element(row);
    result.confidence.push_back(*top);
    result.correct.push_back(static_cast<double>(top - row.begin()) == labels[i] ? 1 : 0);
  }
  return result;
}

CalibrationError calibration_error(std::span<const double> confidence,
                                   std::span<const double> correct, size_t bins) {
  if (confidence.empty() || confidence.size() != correct.size() || bins == 0) {
    throw BadInput(
        fmt::format("a calibration error needs bins and as many answers as confidences, "
                    "got {} bins, {} confidences, {} answers",
                    bins, confidence.size(), correct.size()));
  }
  std::vector<double> upper_edges;
  for (size_t b = 1; b <= bins; ++b) {
    upper_edges.push_back(static_cast<double>(b) / static_cast<double>(bins));
  }
  std::vector<std::vector<double>> confidences(bins);
  std::vector<std::vector<double>> answers(bins);
  for (size_t i = 0; i < confidence.size(); ++i) {
    const auto edge = std::ranges::lower_bound(upper_edges, confidence[i]);
    if (!(confidence[i] > 0) || edge == upper_edges.end()) continue;
    const auto b = static_cast<size_t>(edge - upper_edges.begin());
    confidences[b].push_back(confidence[i]);
    answers[b].push_back(correct[i]);
  }
  CalibrationError error;
  std::vector<double> terms;
  for (size_t b = 0; b < bins; ++b) {
    const size_t count = answers[b].size();
    error.bin_count.push_back(static_cast<int64_t>(count));
    if (count == 0) continue;
    const double share = static_cast<double>(count) / static_cast<double>(confidence.size());
    terms.push_back(share * std::abs(mean_of(confidences[b]) - mean_of(answers[b])));
  }
  error.value = pairwise_sum(terms);
  return error;
}

std::optional<double> fit_inverse_temperature(const TableView& logits,
                                              std::span<const double> labels) {
  const auto slope = [&](double inverse) { return logit_nll_slope(logits, labels, inverse); };
  constexpr double kFarthest = 1e9;
  // The slope rises: below the minimum it is negative, above it positive.
  double low = 1;
  double high = 1;
  while (!(slope(low) < 0)) {
    low /= 2;
    if (low < 1 / kFarthest) return std::nullopt;
  }
  while (!(slope(high) > 0)) {
    high *= 2;
    if (high > kFarthest) return std::nullopt;
  }
  while (true) {
    const double middle = (low + high) / 2;
    if (!(middle > low && middle < high)) return middle;
    (slope(middle) < 0 ? low : high) = middle;
  }
}

}  // namespace outerloop::interp
