#pragma once
// How large a task may be. Bounds the scratch on the stack while it is drawn.

namespace outerloop::data {

constexpr int kMostWays = 4096;
constexpr int kMostExamples = 4096;  // of one class, support and query together

}  // namespace outerloop::data
