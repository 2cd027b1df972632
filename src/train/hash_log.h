#pragma once
// The hashes of a training on their way into hashes.bin: kept on every rank for a while, then
// brought together.

#include "outerloop/comm/communicator.h"
#include "train/hash_file.h"

namespace outerloop::train {

class HashLog {
 public:
  HashLog(comm::Communicator& ranks, const HashNames& names);

  // Of the iteration that was just made.
  void add(int64_t iteration, const StepHashes& hashes);
  // The same on all ranks.
  bool full() const { return count_ == rows_.size(); }
  // Collective: sums the parts of the ranks up on the first one, which appends the rows to its
  // writer.
  void flush(HashWriter* writer);

 private:
  void sum_up();

  comm::Communicator& ranks_;
  std::vector<HashRow> rows_;  // the first count_ are in use
  size_t count_ = 0;
  std::vector<uint32_t> own_;       // (row, parameter)
  std::vector<uint32_t> gathered_;  // (rank, row, parameter); the first rank's
};

}  // namespace outerloop::train
