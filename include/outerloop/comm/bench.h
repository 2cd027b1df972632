#pragma once
// The speed of the collectives by message size, as nccl-tests counts it.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "outerloop/comm/communicator.h"

namespace outerloop::comm {

struct CollectiveSpeed {
  std::string what;
  int64_t bytes = 0;  // of the vector that is reduced or broadcast; gathered by or sent from a rank
  double seconds = 0;  // of the slowest rank, mean over calls
  double algbw = 0;    // bytes / seconds
  // algbw times the share of the bytes that crosses each rank's link, whatever the number of ranks:
  // 2 (P-1)/P for sums, (P-1)/P for exchanges, 1 for a broadcast. To compare with the hardware.
  double busbw = 0;
};

struct CollectiveBench {
  int64_t least_bytes = 1 << 10;
  int64_t most_bytes = 1 << 24;
  double seconds = 0.1;  // measured time of each size
};

// One collective on vectors of a size. reset() is not timed; what call() does is done when it
// returns.
struct CollectiveCase {
  std::function<void()> reset;
  std::function<void()> call;
  std::function<bool()> is_right;  // what came of the call, on this rank
};
struct CollectiveKind {
  std::string what;
  double crossing_times_ranks = 1;  // of a byte, times P/(P-1); 0: a broadcast, all cross once
  std::function<CollectiveCase(int64_t elements)> make;  // of float32
};

// Collective, on two ranks at least. By kind, then by bytes, four times as many from size to size.
// Throws InternalError where a result is wrong.
std::vector<CollectiveSpeed> measure_collectives(Communicator& ranks,
                                                 const std::vector<CollectiveKind>& kinds,
                                                 const CollectiveBench& options);
// Of the ranks' own memory: ordered and fast sum, all_gather, all_to_all, broadcast.
std::vector<CollectiveSpeed> measure_collectives(Communicator& ranks,
                                                 const CollectiveBench& options);

}  // namespace outerloop::comm
