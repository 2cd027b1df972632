#include "outerloop/base/duration.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "outerloop/base/error.h"

namespace outerloop {
namespace {

struct Unit {
  char letter;
  std::int64_t seconds;
};
constexpr std::array<Unit, 4> kUnits{{{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}}};
constexpr std::int64_t kMost = 10'000 * 86400;

[[noreturn]] void refuse(std::string_view text) {
  throw BadInput(fmt::format(
      "'{}' is no duration: write days, hours, minutes, seconds as in 3h50m, 90s or 2d, each "
      "number with its unit",
      text));
}

}  // namespace

std::chrono::seconds parse_duration(std::string_view text) {
  std::string_view rest = text;
  std::int64_t total = 0;
  std::size_t next_unit = 0;  // units must come in order, each once
  do {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (error != std::errc{} || number < 0 || number > kMost) refuse(text);
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    if (rest.empty()) refuse(text);
    std::size_t unit = next_unit;
    while (unit < kUnits.size() && kUnits[unit].letter != rest.front()) ++unit;
    rest.remove_prefix(1);
    if (unit >= kUnits.size()) refuse(text);
    total += number * kUnits[unit].seconds;
    next_unit = unit + 1;
  } while (!rest.empty());
  if (total > kMost) refuse(text);
  return std::chrono::seconds(total);
}

std::string format_duration(std::chrono::seconds duration) {
  const std::int64_t count = duration.count();
  if (count < 0) return "-" + format_duration(-duration);
  for (std::size_t unit = 0; unit + 1 < kUnits.size(); ++unit) {
    const auto [letter, size] = kUnits[unit];
    if (count < size) continue;
    const auto [smaller_letter, smaller] = kUnits[unit + 1];
    return fmt::format("{}{}{:02}{}", count / size, letter, count % size / smaller, smaller_letter);
  }
  return fmt::format("{}s", count);
}

}  // namespace outerloop
