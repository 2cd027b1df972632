#include "outerloop/farm/shard.h"

#include <fmt/format.h>

#include <charconv>

#include "outerloop/base/error.h"

namespace outerloop::farm {

Shard parse_shard(std::string_view text) {
  Shard shard;
  if (text.empty()) return shard;
  const char* end = text.data() + text.size();
  const auto slash = std::from_chars(text.data(), end, shard.index);
  if (slash.ec == std::errc{} && slash.ptr != end && *slash.ptr == '/') {
    const auto rest = std::from_chars(slash.ptr + 1, end, shard.count);
    const bool inside = shard.index >= 0 && shard.index < shard.count;
    if (rest.ec == std::errc{} && rest.ptr == end && inside) return shard;
  }
  throw BadInput(
      fmt::format("--shard: expected I/N with I from 0 to below N, such as 0/4, got '{}'", text));
}

}  // namespace outerloop::farm
