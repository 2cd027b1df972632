#pragma once
// How often the thread that serves looks for letters, and asks whether to stop.

#include <chrono>

namespace outerloop::farm {

// For letters that somebody waits for, and for others: each look takes the core from a worker.
constexpr std::chrono::milliseconds kPoll{1}, kQuiet{5};
constexpr std::chrono::milliseconds kAskEvery{100};  // whether to stop

}  // namespace outerloop::farm
