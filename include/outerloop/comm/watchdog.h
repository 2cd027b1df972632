#pragma once
// Notices ranks that are stopped, dead, cut off or stuck, and says which and where.
//
// MPI waits for ever for a process that was stopped or whose link was cut (Open MPI 4.1 stayed
// silent for as long as was watched), so ranks tell each other that they live, over TCP connections
// of their own, from a thread beside the rank's: every rank to rank 0 and back, and to the deputy
// of rank 0 (the first rank of another host, else rank 1). MPI itself could not serve: a second
// thread in it would need MPI_THREAD_MULTIPLE, and it hangs on what is looked for.

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "outerloop/comm/communicator.h"

namespace outerloop::comm {

struct WatchdogOptions {
  std::chrono::milliseconds interval{1000};  // between signs of life
  // A rank that gave none for so long ends the run, be its process stopped, dead or cut off.
  std::chrono::milliseconds silence{30'000};
  // A rank whose connection closed without a leave ends the run after this time: ranks that are
  // ended together do not name each other.
  std::chrono::milliseconds grace{200};
  // Living ranks of which one waits for so long in a collective that another did not enter. Longer
  // than any work between two collectives, and than the steps that devices take at once.
  std::chrono::milliseconds stall{3'600'000};
  // What `end` takes until the launcher has ended all ranks.
  std::chrono::milliseconds ending{20'000};
};

// Why the run cannot go on, in one line: "rank 5 on node07 gave no sign of life for 30 s; it did
// not enter all_to_all 'meta-gradient' (#812), where rank 0 on node02 waits; its last was …".
struct Verdict {
  std::string text;
  int rank = 0;             // of which it speaks
  bool found_here = false;  // false: another rank found it and told us
};

class Watchdog {
 public:
  // Collective. `end` is called at most once, from another thread, to end the process: by the rank
  // that found the failure (rank 0; its deputy, where it is the one; where both are, one of the
  // others) and by those it could tell.
  // It should say the text at once (where found_here), and exit only after the launcher had time to
  // notice too: once rank 0 is gone, Open MPI's mpirun waits for ever for a host whose link was
  // cut. With --mca oob_tcp_keepalive_time and the like set to a little more than `silence`, it
  // ends such a run itself (exit code 205).
  // Throws AgreedFailure when a rank cannot connect to rank 0 or to its deputy.
  Watchdog(Communicator& ranks, const WatchdogOptions& options,
           std::function<void(const Verdict&)> end);
  // Takes leave of the others without waiting for them: this rank is watched no longer.
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  class Watch;
  std::unique_ptr<Watch> watch_;  // null: one rank alone
};

}  // namespace outerloop::comm
