#pragma once
// How the ranks connect for the watchdog: all to rank 0 and to its deputy.

#include <string>
#include <vector>

#include "comm/link.h"
#include "outerloop/comm/communicator.h"

namespace outerloop::comm {

struct Peer {
  int rank;
  Link link;
};

// The rank that speaks when rank 0 cannot: the first on another host, else rank 1. `hosts`: of two
// ranks or more.
int deputy_of(const std::vector<std::string>& hosts);

// Why the ranks `missing` are not connected to the one that listens, and what to do.
std::string describe_missing(const std::vector<std::string>& hosts, const std::vector<int>& missing,
                             int listening, const Invitation& invitation);

// Collective. Of this rank's connections, one for each rank that it is to hear of: all others for
// rank 0 and the deputy, these two for the rest. Throws AgreedFailure when one cannot be made.
std::vector<Peer> meet(Communicator& ranks, int deputy);

}  // namespace outerloop::comm
