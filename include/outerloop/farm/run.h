#pragma once
// Runs a job on the threads of one process or on many ranks.
//
// Rank 0 leads: it keeps the journal and hands cells out on lease to its own threads and to the
// other ranks, which run them and send the values back. A lease that is not answered in time is
// given to another worker as soon as one has nothing else to do; the first values of a cell count,
// and later ones must be equal. So a worker that is slow, stopped or hangs costs its leases alone.
//
// What it cannot do: under MPI a rank that dies ends all of them (the next start goes on from the
// journal), ranks cannot join later, and a cell that never returns cannot be taken from its thread:
// on another rank the job is finished without it, and that rank is named in Outcome::hung; on rank
// 0, or in one process, the run does not return. Processes that join later are shards, each with a
// journal of its own (merge_journals).

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "outerloop/base/log.h"
#include "outerloop/base/thread_pool.h"
#include "outerloop/comm/communicator.h"
#include "outerloop/farm/results.h"
#include "outerloop/farm/shard.h"

namespace outerloop::farm {

struct Progress {
  int64_t done = 0;   // cells of the shard, those of earlier runs too
  int64_t cells = 0;  // of the shard
};

struct RunOptions {
  // Made when there is none; results of an earlier run of the same job are kept. Empty: results
  // stay in memory.
  std::filesystem::path journal;
  std::string way_out = "choose another folder";  // for messages, where it is no journal of the job
  Shard shard;
  std::chrono::milliseconds lease{60'000};  // after which another worker may take a cell
  // Why to stop, or empty. Asked on every rank, from any thread, at least ten times a second.
  std::function<std::string()> stop_requested;
  std::optional<std::chrono::seconds> max_wall;
  std::function<void(const Progress&)> on_progress;  // on rank 0, ten times a second
  Log* log = nullptr;
};

struct Outcome {
  Results results;  // on rank 0, of the whole job; elsewhere empty
  Progress progress;
  std::string stopped;    // why it stopped before the end, or empty: the same call goes on
  std::vector<int> hung;  // ranks that did not answer at the end: leave by Communicator::abort
};

// Collective: the same job and options on all ranks. No thread but the calling one is inside the
// communicator, one more (which this makes) apart. Throws on all ranks (comm::Agreed where there
// are several) BadInput when the journal is of another job or in use, SystemFailure when it cannot
// be written, and what a cell threw, with its key.
Outcome run(Job& job, comm::Communicator& ranks, ThreadPool& pool, const RunOptions& options);
// In this process alone.
Outcome run(Job& job, ThreadPool& pool, const RunOptions& options);

}  // namespace outerloop::farm
