#include "comm/judge.h"

#include <fmt/format.h>

namespace outerloop::comm {
namespace {

std::string seconds(std::chrono::milliseconds time) {
  return fmt::format("{:g} s", static_cast<double>(time.count()) / 1000);
}

// "rank 5 on node07"
std::string named(size_t rank, const std::vector<std::string>& hosts) {
  return fmt::format("rank {} on {}", rank, hosts[rank]);
}

// The rank that waits in the earliest collective past the `sequence`-th.
std::optional<size_t> waiting_past(const std::vector<Sighting>& seen, uint64_t sequence) {
  std::optional<size_t> found;
  for (size_t r = 0; r < seen.size(); ++r) {
    const Sighting& s = seen[r];
    if (!s.watched || s.left || s.sequence <= sequence) continue;
    if (!found || s.sequence < seen[*found].sequence) found = r;
  }
  return found;
}

// Where the rank is and who waits for it.
std::string place_of(size_t rank, const std::vector<Sighting>& seen,
                     const std::vector<std::string>& hosts) {
  const Sighting& own = seen[rank];
  const std::string last = own.sequence == 0
                               ? "it had entered none when last heard"
                               : fmt::format("it {} {} when last heard",
                                             own.left ? "was past" : "was in", own.collective);
  const auto waiting = waiting_past(seen, own.sequence);
  if (!waiting) return last;
  return fmt::format("it did not enter {}, where {} waits; {}", seen[*waiting].collective,
                     named(*waiting, hosts), last);
}

// The one furthest behind of those that somebody has been waiting for that long.
std::optional<size_t> stuck_rank(const std::vector<Sighting>& seen, Clock::time_point now,
                                 std::chrono::milliseconds stall) {
  std::optional<size_t> behind;
  for (size_t r = 0; r < seen.size(); ++r) {
    if (seen[r].watched && (!behind || seen[r].sequence < seen[*behind].sequence)) behind = r;
  }
  if (!behind || now - seen[*behind].moved < stall) return std::nullopt;
  const auto waiting = waiting_past(seen, seen[*behind].sequence);
  if (!waiting || now - seen[*waiting].moved < stall) return std::nullopt;
  return behind;
}

// Whether all are in one collective for that long.
bool all_stuck(const std::vector<Sighting>& seen, Clock::time_point now,
               std::chrono::milliseconds stall) {
  for (const Sighting& s : seen) {
    if (!s.watched || s.left || s.sequence != seen[0].sequence || now - s.moved < stall) {
      return false;
    }
  }
  return true;
}

}  // namespace

std::optional<Verdict> judge(const std::vector<Sighting>& seen,
                             const std::vector<std::string>& hosts, Clock::time_point now,
                             const WatchdogOptions& options) {
  for (size_t r = 0; r < seen.size(); ++r) {
    if (!seen[r].watched || now - seen[r].heard < options.silence) continue;
    return Verdict{fmt::format("{} gave no sign of life for {}; {}", named(r, hosts),
                               seconds(options.silence), place_of(r, seen, hosts)),
                   static_cast<int>(r)};
  }
  if (const auto stuck = stuck_rank(seen, now, options.stall)) {
    return Verdict{fmt::format("{} has been stuck for {}; {}", named(*stuck, hosts),
                               seconds(options.stall), place_of(*stuck, seen, hosts)),
                   static_cast<int>(*stuck)};
  }
  if (all_stuck(seen, now, options.stall)) {
    return Verdict{
        fmt::format("all ranks have been in {} for {}: data between them get lost; check "
                    "the network",
                    seen[0].collective, seconds(options.stall)),
        0};
  }
  return std::nullopt;
}

}  // namespace outerloop::comm
