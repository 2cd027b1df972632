#include "outerloop/interp/risk_coverage.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "outerloop/base/error.h"
#include "outerloop/base/pairwise_sum.h"

namespace outerloop::interp {

namespace {

// Mean of risk(k) where the errors of rows [begin, end) of equal confidence come in evenly.
double area_of(std::span<const size_t> order, std::span<const double> correct, auto ends_block) {
  const size_t n = order.size();
  std::vector<double> risks;
  double errors_before = 0;
  for (size_t begin = 0; begin < n;) {
    size_t end = begin;
    double errors = 0;
    do {
      errors += 1 - correct[order[end++]];
    } while (end < n && !ends_block(order[end - 1], order[end]));
    const auto size = static_cast<double>(end - begin);
    for (size_t k = begin + 1; k <= end; ++k) {
      const double share = static_cast<double>(k - begin) / size;
      risks.push_back((errors_before + errors * share) / static_cast<double>(k));
    }
    errors_before += errors;
    begin = end;
  }
  return mean_of(risks);
}

}  // namespace

RiskCoverage risk_coverage(std::span<const double> confidence, std::span<const double> correct) {
  if (confidence.empty() || confidence.size() != correct.size()) {
    throw BadInput(
        fmt::format("risk and coverage need as many answers as confidences, got {} "
                    "confidences, {} answers",
                    confidence.size(), correct.size()));
  }
  const size_t n = confidence.size();
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), size_t{0});
  const auto always = [](size_t, size_t) { return true; };
  const auto differ = [&](size_t a, size_t b) { return confidence[a] != confidence[b]; };

  RiskCoverage result;
  std::ranges::stable_sort(order, std::greater(), [&](size_t row) { return confidence[row]; });
  result.area = area_of(order, correct, differ);
  result.area_stable = area_of(order, correct, always);
  std::ranges::stable_sort(order, std::greater(), [&](size_t row) { return correct[row]; });
  result.oracle = area_of(order, correct, always);
  result.excess = result.area - result.oracle;
  const double accuracy = mean_of(correct);
  const double limit = accuracy > 0 ? accuracy * std::log(accuracy) : 0;
  result.excess_log = result.area - ((1 - accuracy) + limit);
  return result;
}

}  // namespace outerloop::interp
