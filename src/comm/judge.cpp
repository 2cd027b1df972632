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

// The rank that waits in the earliest collective past the `sequence`-th, as heard since `since`.
std::optional<size_t> waiting_past(const std::vector<Sighting>& seen, uint64_t sequence,
                                   Clock::time_point since = {}) {
  std::optional<size_t> found;
  for (size_t r = 0; r < seen.size(); ++r) {
    const Sighting& s = seen[r];
    if (!s.watched || s.lost || s.left || s.sequence <= sequence || s.heard < since) continue;
    if (!found || s.sequence < seen[*found].sequence) found = r;
  }
  return found;
}

// Where the rank was when last heard.
std::string last_place(const Sighting& own) {
  if (own.sequence == 0) return "it had entered none when last heard";
  return fmt::format("it {} {} when last heard", own.left ? "was past" : "was in", own.collective);
}

// Where the rank is and who waits for it.
std::string place_of(size_t rank, const std::vector<Sighting>& seen,
                     const std::vector<std::string>& hosts) {
  const auto waiting = waiting_past(seen, seen[rank].sequence);
  if (!waiting) return last_place(seen[rank]);
  return fmt::format("it did not enter {}, where {} waits; {}", seen[*waiting].collective,
                     named(*waiting, hosts), last_place(seen[rank]));
}

// The same of one that ended while the others went on: what was heard before its end is old.
std::string place_of_lost(size_t rank, const std::vector<Sighting>& seen,
                          const std::vector<std::string>& hosts) {
  const auto waiting = waiting_past(seen, seen[rank].sequence, seen[rank].heard);
  if (!waiting) return last_place(seen[rank]);
  return fmt::format("{} waits for it in {}; {}", named(*waiting, hosts), seen[*waiting].collective,
                     last_place(seen[rank]));
}

// Gone, or silent for too long: the one that was so first, since it may have ended the others.
std::optional<size_t> first_failed(const std::vector<Sighting>& seen, Clock::time_point now,
                                   const WatchdogOptions& options) {
  std::optional<size_t> first;
  for (size_t r = 0; r < seen.size(); ++r) {
    const Sighting& s = seen[r];
    if (!s.watched || now - s.heard < (s.lost ? options.grace : options.silence)) continue;
    if (!first || s.heard < seen[*first].heard) first = r;
  }
  return first;
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

std::vector<Sighting> heard_by(int rank, int deputy, std::vector<Sighting> seen) {
  if (rank == 0 || rank == deputy) return seen;
  for (int r = 1; r < static_cast<int>(seen.size()); ++r) {
    if (r != deputy && r != rank) seen[static_cast<size_t>(r)].watched = false;
  }
  return seen;
}

std::optional<Verdict> judge(const std::vector<Sighting>& seen,
                             const std::vector<std::string>& hosts, Clock::time_point now,
                             const WatchdogOptions& options) {
  if (const auto failed = first_failed(seen, now, options)) {
    const std::string name = named(*failed, hosts);
    const std::string text =
        seen[*failed].lost ? fmt::format("{} is gone: it was killed, or its host is dead; {}", name,
                                         place_of_lost(*failed, seen, hosts))
                           : fmt::format("{} gave no sign of life for {}; {}", name,
                                         seconds(options.silence), place_of(*failed, seen, hosts));
    return Verdict{text, static_cast<int>(*failed)};
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
