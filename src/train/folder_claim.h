#pragma once
// One training at a time in a run folder.

#include <filesystem>

#include "outerloop/train/run_folder.h"

namespace outerloop::train {

// Creates the folder and holds it until destroyed or until the process ends, however it ends. A
// STOP file that was meant for an earlier training is removed.
// Throws BadInput when it cannot be created or written, when it holds something else than a run, or
// when another process trains in it; SystemFailure when the disk fails.
class FolderClaim {
 public:
  explicit FolderClaim(const RunFolder& folder);
  ~FolderClaim();
  FolderClaim(const FolderClaim&) = delete;
  FolderClaim& operator=(const FolderClaim&) = delete;

 private:
  int descriptor_ = -1;
};

}  // namespace outerloop::train
