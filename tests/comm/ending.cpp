// How ranks under MPI end: comm_ending HOW. A program for ending_test.cpp to start.

#include <cstdio>
#include <string>
#include <vector>

#include "outerloop/comm/agreement.h"
#include "outerloop/comm/mpi.h"

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
    if (how == "long") send(ranks, 10, 5);
    if (how == "short") send(ranks, 5, 10);
    ranks.barrier("after that");
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
