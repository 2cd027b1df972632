#pragma once
// time.jsonl: how long the training took up to each checkpoint. Checkpoints hold no time, and the
// last line of the metrics may be much older than the checkpoint of a stop.

#include "outerloop/io/jsonl.h"
#include "outerloop/train/run_folder.h"

namespace outerloop::train {

// What was done in this folder, by all processes that trained here.
struct Effort {
  int64_t iterations = 0;  // not those of another folder's checkpoint that the run started from
  double wall_s = 0;
};

class TimeLog {
 public:
  // For a run that goes on from `iteration` (0: from its start): drops lines past it.
  TimeLog(const RunFolder& folder, int64_t iteration);

  // At the last line that was kept.
  const Effort& earlier() const { return earlier_; }

  // Before the checkpoint of `iteration`, so that no checkpoint is without its line.
  void record(int64_t iteration, const Effort& effort);

 private:
  io::JsonlWriter lines_;
  Effort earlier_;
};

}  // namespace outerloop::train
