// Tails of values over tasks.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "outerloop/base/error.h"
#include "outerloop/base/pairwise_sum.h"
#include "outerloop/interp/statistics.h"

namespace outerloop::interp {

double conditional_value_at_risk(std::span<const double> losses, double share) {
  if (losses.empty() || !(share > 0 && share <= 1)) {
    throw BadInput(fmt::format(
        "the worst share of losses needs losses and a share in (0, 1], got {} losses, {}",
        losses.size(), share));
  }
  std::vector<double> sorted(losses.begin(), losses.end());
  std::ranges::sort(sorted, std::greater());
  const double count = share * static_cast<double>(losses.size());
  const auto whole = static_cast<size_t>(count);
  std::vector<double> worst(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(whole));
  if (whole < sorted.size()) worst.push_back((count - std::floor(count)) * sorted[whole]);
  return pairwise_sum(worst) / count;
}

}  // namespace outerloop::interp
