#pragma once
// Decides from what is known of all ranks whether the run can go on. No clock and no sockets of its
// own.

#include <optional>
#include <string>
#include <vector>

#include "comm/link.h"
#include "outerloop/comm/watchdog.h"

namespace outerloop::comm {

// What the others know of one rank.
struct Sighting {
  bool watched = true;      // false: it took its leave
  bool lost = false;        // its connection closed without a leave
  Clock::time_point heard;  // last sign of life, or when it was lost
  Clock::time_point moved;  // when its last collective changed
  uint64_t sequence = 0;    // of the last collective entered; 0: none
  bool left = true;
  std::string collective;  // that one in words
};

// What `rank` may judge by: rank 0 and its deputy hear of all, the others of these two alone.
std::vector<Sighting> heard_by(int rank, int deputy, std::vector<Sighting> seen);

// `seen`: by rank.
std::optional<Verdict> judge(const std::vector<Sighting>& seen,
                             const std::vector<std::string>& hosts, Clock::time_point now,
                             const WatchdogOptions& options);

}  // namespace outerloop::comm
