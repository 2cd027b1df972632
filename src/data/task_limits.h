#pragma once
// How large a task may be. Bounds the scratch on the stack while it is drawn.

#include "outerloop/data/episode.h"

namespace outerloop::data {

constexpr int kMostWays = 4096;
constexpr int kMostExamples = 4096;  // of one class, support and query together

// To be asked before rows are multiplied out.
inline bool is_too_large(const EpisodeShape& shape) {
  return shape.ways > kMostWays || shape.shots > kMostExamples || shape.queries > kMostExamples ||
         shape.shots + shape.queries > kMostExamples;
}

}  // namespace outerloop::data
