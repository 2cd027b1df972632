#pragma once
// One task of a finished or interrupted training computed once more.

#include <cstdint>
#include <filesystem>
#include <string>

#include "outerloop/train/meta_step.h"

namespace outerloop::train {

struct Replay {
  int64_t iteration = 0;  // 1: the first
  int64_t slot = 0;
  int64_t started_from = 0;  // iteration of the checkpoint; 0: the initial state
  SlotReplay task;
};

// Goes from the nearest checkpoint before the iteration through those between, and compares each
// with the hashes that the training logged. Throws BadInput when the run has no such iteration or
// slot or wrote no hashes, SystemFailure with iteration, slot and tensor at the first hash that
// differs.
Replay replay(const std::filesystem::path& run, int64_t iteration, int64_t slot);

std::string describe(const Replay& replay);

}  // namespace outerloop::train
