// How ranks under MPI end: comm_ending HOW. A program for ending_test.cpp to start.

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "outerloop/comm/agreement.h"
#include "outerloop/comm/mpi.h"
#include "outerloop/comm/watchdog.h"

namespace outerloop::comm {
namespace {

// From the last rank to rank 0, which expects another size.
void send(Communicator& ranks, size_t sent, size_t expected) {
  const std::vector<char> out(sent);
  std::vector<char> in(expected);
  const int last = ranks.size() - 1;
  const Piece<const char> outgoing{0, out};
  const Piece<char> incoming{last, in};
  ranks
      .start_exchange<char>("shards", {&outgoing, ranks.rank() == last ? 1u : 0u},
                            {&incoming, ranks.rank() == 0 ? 1u : 0u})
      .wait();
}

int end(const std::string& how) {
  World world;
  Communicator& ranks = world.ranks();
  const bool last = ranks.rank() == ranks.size() - 1;
  try {
    if (how == "agreed") {
      fail_together(ranks, "start", [&] {
        if (last) throw BadInput("no such file");
      });
    }
    if (how == "stopped") {
      world.finish();
      return 75;
    }
    if (how == "aborts" && last) ranks.abort(3);
    if (how == "unwinds" && last) throw SystemFailure("full disk");
    std::optional<Watchdog> watchdog;
    if (how.starts_with("watched")) {
      const std::chrono::seconds silence(how == "watched_stuck" ? 30 : 2);
      const std::chrono::seconds stall(how == "watched_stuck" ? 1 : 30);
      watchdog.emplace(
          ranks,
          WatchdogOptions{
              .interval = std::chrono::milliseconds(100), .silence = silence, .stall = stall},
          [](const Verdict& verdict) {
            if (verdict.found_here) {
              std::fprintf(stderr, "error: %s\n", verdict.text.c_str());
            }
            // mpirun ends all at the first exit: the one that was told may be there before the one
            // that tells has written.
            std::this_thread::sleep_for(std::chrono::seconds(1));
            std::_Exit(1);
          });
      ranks.barrier("together");
    }
    if (how == "watched_stopped" && last) raise(SIGSTOP);
    if (how == "watched_first_stopped" && ranks.rank() == 0) raise(SIGSTOP);
    if (how == "watched_stuck" && last) std::this_thread::sleep_for(std::chrono::seconds(30));
    if (how == "watched_killed" && last) raise(SIGKILL);
    if (how == "watched_first_killed" && ranks.rank() == 0) raise(SIGKILL);
    if (how == "long") send(ranks, 10, 5);
    if (how == "short") send(ranks, 5, 10);
    ranks.barrier("after that");
    watchdog.reset();
  } catch (const AgreedBadInput& error) {
    if (ranks.rank() == 0) std::fprintf(stderr, "error: %s\n", error.what());
    world.finish();
    return 2;
  } catch (const MpiError& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    ranks.abort(4);
  } catch (const std::logic_error& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    ranks.abort(5);
  }
  world.finish();
  return 0;
}

}  // namespace
}  // namespace outerloop::comm

int main(int argc, char** argv) {
  try {
    return outerloop::comm::end(argc > 1 ? argv[1] : "");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 6;
  }
}
