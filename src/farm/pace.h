#pragma once
// How often the thread that serves looks for letters, and asks whether to stop.

#include <chrono>

namespace outerloop::farm {

constexpr std::chrono::milliseconds kPoll{1};   // for letters, where somebody waits for the answer
constexpr std::chrono::milliseconds kQuiet{5};  // for others: each look takes the core from a worker
constexpr std::chrono::milliseconds kAskEvery{100};  // whether to stop

}  // namespace outerloop::farm
