#include "data/function_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "outerloop/base/error.h"

namespace outerloop::data {

void check_range(const char* name, const Range& range) {
  const bool finite = std::isfinite(range.low) && std::isfinite(range.high);
  if (!finite || range.low > range.high) {
    throw BadInput(fmt::format("{} must be a range low <= high of finite numbers, got [{}, {}]",
                               name, range.low, range.high));
  }
}

void check_argument(float largest_argument) {
  if (!(largest_argument <= kMaxSineArgument)) {
    throw BadInput(
        fmt::format("the ranges of x, frequency and phase give sines of up to {}; the "
                    "largest argument is {}",
                    largest_argument, kMaxSineArgument));
  }
}

float largest(const Range& range) {
  return std::max(std::abs(range.low), std::abs(range.high));
}

EpisodeSpec function_spec(const EpisodeShape& shape) {
  if (shape.ways != 1) {
    throw BadInput(fmt::format("ways must be 1 for a regression family, got {}", shape.ways));
  }
  const TensorSpec support{DType::f32, {std::max(shape.shots, 0), 1}};
  const TensorSpec query{DType::f32, {std::max(shape.queries, 0), 1}};
  return {.support_x = support, .support_y = support, .query_x = query, .query_y = query};
}

}  // namespace outerloop::data
