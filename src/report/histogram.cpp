#include "report/histogram.h"

#include <algorithm>
#include <cmath>

namespace outerloop::report {
namespace {

constexpr size_t kBins = 32;
constexpr double kDecades = 4;  // of losses: smaller ones go to the first bin

std::vector<double> sorted_finite(const TaskResults& results) {
  std::vector<double> values;
  for (const auto* some : {&results.before, &results.after}) {
    std::ranges::copy_if(*some, std::back_inserter(values),
                         [](double v) { return std::isfinite(v); });
  }
  std::ranges::sort(values);
  return values;
}

// The smallest distance between two values, or 0.
double resolution(const std::vector<double>& sorted) {
  double least = 0;
  for (size_t i = 1; i < sorted.size(); ++i) {
    const double gap = sorted[i] - sorted[i - 1];
    if (gap > 1e-6 && (least == 0 || gap < least)) least = gap;
  }
  return least;
}

// Bins of accuracies: centred on the values that occur, or plain ones where those are many.
std::vector<double> fraction_edges(const std::vector<double>& sorted) {
  const double gap = resolution(sorted);
  const auto steps = gap > 0 ? static_cast<size_t>(std::lround(1 / gap)) : 1;
  std::vector<double> edges;
  if (steps < kBins) {
    const double width = 1.0 / static_cast<double>(steps);
    for (size_t i = 0; i <= steps + 1; ++i) edges.push_back((static_cast<double>(i) - 0.5) * width);
  } else {
    const double width = 1.0 / 25;
    for (size_t i = 0; i <= 26; ++i) edges.push_back((static_cast<double>(i) - 0.5) * width);
  }
  return edges;
}

std::vector<double> loss_edges(const std::vector<double>& sorted, bool logarithmic) {
  const double high = sorted.back();
  const double low =
      logarithmic ? std::max(sorted.front(), high * std::pow(10, -kDecades)) : sorted.front();
  std::vector<double> edges;
  for (size_t i = 0; i <= kBins; ++i) {
    const double share = static_cast<double>(i) / kBins;
    edges.push_back(logarithmic ? low * std::pow(high / low, share) : low + share * (high - low));
  }
  return edges;
}

std::vector<double> shares(const std::vector<double>& values, const std::vector<double>& edges) {
  std::vector<double> result(edges.size() - 1);
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    const auto after = std::ranges::upper_bound(edges, value) - edges.begin();
    const auto bin = std::clamp<std::ptrdiff_t>(after - 1, 0, std::ssize(result) - 1);
    result[static_cast<size_t>(bin)] += 1.0 / static_cast<double>(values.size());
  }
  return result;
}

}  // namespace

Histogram make_histogram(const TaskResults& results, bool fractions) {
  const std::vector<double> sorted = sorted_finite(results);
  Histogram histogram;
  if (sorted.empty() || fractions) {
    histogram.edges = fraction_edges(sorted);
  } else {
    histogram.logarithmic = sorted.front() > 0 && sorted.back() > 20 * sorted.front();
    histogram.edges = loss_edges(sorted, histogram.logarithmic);
    if (sorted.front() == sorted.back()) histogram.edges = {sorted.front(), sorted.front() + 1};
  }
  histogram.before = shares(results.before, histogram.edges);
  histogram.after = shares(results.after, histogram.edges);
  return histogram;
}

}  // namespace outerloop::report
