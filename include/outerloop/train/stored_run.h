#pragma once
// A run that was trained before: what `eval`, `predict` and `report` start from.

#include <filesystem>
#include <span>
#include <string>

#include "outerloop/checkpoint/checkpoint.h"
#include "outerloop/config/read.h"
#include "outerloop/train/run_folder.h"
#include "outerloop/train/setup.h"

namespace outerloop::train {

struct StoredRun {
  RunFolder folder;
  config::Resolved config;  // that the checkpoint was made with, and the overrides
  checkpoint::Checkpoint checkpoint;
  std::filesystem::path checkpoint_file;
};

// `run`: a run folder, or a checkpoint file alone. `which`: "best" (the last where there is none),
// "last", or a checkpoint file. The data set is where the training found it, if it still lies
// there. `overrides`: see protocol_overrides(). Throws BadInput when there is no run or no
// checkpoint.
StoredRun open_run(const std::filesystem::path& run, const std::string& which = "best",
                   std::span<const std::string> overrides = {});

// Where the training found its data set; empty when that is not known or there is nothing any more.
std::filesystem::path known_dataset(const RunFolder& folder);

// The config with that file as its data set, where it is a run's own and no override chose one.
config::Config with_known_dataset(const config::Resolved& resolved);

// With the data of the run. Throws BadInput when that is another data set than the one that the
// checkpoint was trained on, unless an override chose it. Rows of another table are prepared as
// those of the training's.
Setup make_setup(const StoredRun& run);

}  // namespace outerloop::train
