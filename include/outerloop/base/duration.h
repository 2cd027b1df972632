#pragma once
// Durations as people write them.

#include <chrono>
#include <string>
#include <string_view>

namespace outerloop {

// "90s", "3h50m", "2d": days, hours, minutes, seconds in this order, each number with its unit.
// BadInput otherwise, and past 10,000 days.
std::chrono::seconds parse_duration(std::string_view text);

// The two largest units that are not zero: "3h50m", "1m05s", "42s", "2d03h". Rounded down.
std::string format_duration(std::chrono::seconds duration);

}  // namespace outerloop
