#pragma once
// Commands that run on all ranks that mpirun or srun started.

#include <functional>

#include "outerloop/comm/communicator.h"

namespace outerloop::cli {

// Runs `body` on every rank and returns its exit code. What all ranks throw together (comm::Agreed)
// is thrown on rank 0 alone, for its one message; an error of one rank's own is told with rank and
// host and ends all ranks.
int run_on_ranks(const std::function<int(comm::Communicator&)>& body);

}  // namespace outerloop::cli
