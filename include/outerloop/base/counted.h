#pragma once
// Numbers of things in sentences: "1 step", "5 steps".

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace outerloop {

// "step" or "steps"; `plural` where it is not the word with an s.
template <class Number>
std::string noun(Number count, std::string_view one, std::string_view plural = {}) {
  if (count == Number{1}) return std::string(one);
  return plural.empty() ? std::string(one) + "s" : std::string(plural);
}

template <class Number>
std::string counted(Number count, std::string_view one, std::string_view plural = {}) {
  return fmt::format("{} {}", count, noun(count, one, plural));
}

}  // namespace outerloop
