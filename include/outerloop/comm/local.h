#pragma once
// Ranks as threads of one process.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "outerloop/comm/communicator.h"

namespace outerloop::comm {

// Holds the communicators of its ranks, each for one thread. Sizes and verbs that do not fit
// together fail on both sides with InternalError, naming ranks and collective.
class LocalGroup {
 public:
  // `hosts`: one name per rank; empty: this machine's for all.
  explicit LocalGroup(int ranks, std::vector<std::string> hosts = {});
  ~LocalGroup();
  LocalGroup(const LocalGroup&) = delete;
  LocalGroup& operator=(const LocalGroup&) = delete;

  Communicator& rank(int rank);
  // The rank takes no further part: whoever waits for it, now or later, gets a RankFailure with the
  // reason. What is complete already stays so. One that `failed` is missed by take() too.
  void leave(int rank, const std::string& reason, bool failed = true);

 private:
  struct State;
  class Rank;
  std::unique_ptr<State> state_;
};

// Runs `body` on `ranks` threads. When bodies throw, the others are released by RankFailure, and
// the exception of the lowest rank that failed of its own is thrown here.
void run_ranks(int ranks, const std::function<void(Communicator&)>& body);
void run_ranks(const std::vector<std::string>& hosts,
               const std::function<void(Communicator&)>& body);

}  // namespace outerloop::comm
