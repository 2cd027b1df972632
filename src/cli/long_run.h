#pragma once
// What commands that run for long have in common.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "outerloop/base/log.h"

namespace outerloop::cli {

// "SIGTERM"; empty for 0.
std::string name_of_signal(int signal);

// A message as a line for people: warnings say that they are.
std::string line_of(LogLevel level, std::string_view message);

// What was given to the option. Throws BadInput, which names it.
std::chrono::seconds duration_of(std::string_view option, const std::string& text);

// Of --max-wall: more than nothing.
std::optional<std::chrono::seconds> max_wall_of(const std::optional<std::string>& text);

}  // namespace outerloop::cli
