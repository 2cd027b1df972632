// A farm run as a program for mpi_test.cpp to start, kill and stop:
// toy_farm JOURNAL CELLS THREADS MILLISECONDS_PER_CELL LEASE_MILLISECONDS [HANGING_RANK]
// Exit codes as of the real program: 0 done, 75 stopped. Leaves the process of each rank in
// JOURNAL.pid-RANK, and the rank that hung at the end in JOURNAL.hung.

#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "farm/toy_job.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/base/stop_signal.h"
#include "outerloop/comm/agreement.h"
#include "outerloop/comm/mpi.h"
#include "outerloop/farm/run.h"

namespace outerloop::farm {
namespace {

int run_toy(const std::vector<std::string>& words) {
  comm::World world;
  comm::Communicator& ranks = world.ranks();
  ToyJob job(std::stoul(words.at(1)));
  write_file_atomically(fmt::format("{}.pid-{}", words.at(0), ranks.rank()),
                        std::to_string(::getpid()));
  const int ms = std::stoi(words.at(3));
  const int hanging = words.size() > 5 ? std::stoi(words[5]) : -1;
  job.before = [&](size_t cell, int) {
    std::this_thread::sleep_for(std::chrono::milliseconds(ms));
    if (ranks.rank() == hanging && cell > 8) raise(SIGSTOP);
  };
  const StopSignal signal;
  RunOptions options{.journal = words.at(0),
                     .lease = std::chrono::milliseconds(std::stoi(words.at(4)))};
  options.stop_requested = [&] { return signal.received() != 0 ? "a signal" : ""; };
  try {
    ThreadPool pool(std::stoi(words.at(2)));
    const Outcome outcome = run(job, ranks, pool, options);
    if (!outcome.hung.empty()) {
      write_file_atomically(words[0] + ".hung", std::to_string(outcome.hung.front()));
      ranks.abort(0);
    }
    world.finish();
    return outcome.stopped.empty() ? 0 : 75;
  } catch (const Error& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    if (dynamic_cast<const comm::Agreed*>(&error) == nullptr) ranks.abort(1);
    world.finish();
    return 1;
  }
}

}  // namespace
}  // namespace outerloop::farm

int main(int argc, char** argv) {
  return outerloop::farm::run_toy({argv + 1, argv + argc});
}
