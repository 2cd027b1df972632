#pragma once
// Commands that run on all ranks that mpirun or srun started.

#include <chrono>
#include <filesystem>
#include <functional>

#include "cli/program.h"
#include "outerloop/comm/communicator.h"
#include "outerloop/comm/watchdog.h"

namespace outerloop::cli {

// How many tasks srun started, this one among them; 1: srun did not start it, or mpirun did.
int tasks_of_srun();

// Runs `body` on every rank and returns its exit code. Throws what it throws on a single rank, and
// BadInput where srun started several tasks without MPI, each a rank alone. Among several, what all
// throw together (comm::Agreed) is told once, by rank 0; an error of one rank's own is told with
// rank and host and ends all ranks.
int run_on_ranks(const std::function<int(comm::Communicator&)>& body, ColorMode color);

constexpr std::chrono::seconds kShortestSilence{3};  // three signs of life

// Watches the other ranks while it lives, if there are any. A finding is told at once and written
// to `log`, and ends this process with kFailed: after half the silence and 5 s, so that the
// launcher can see for itself that a host is gone. Collective.
comm::Watchdog watch(comm::Communicator& ranks, const comm::WatchdogOptions& options,
                     const std::filesystem::path& log);

}  // namespace outerloop::cli
