#pragma once
// How images become inputs, kept in checkpoints: prediction needs it and not the data set.

#include "outerloop/checkpoint/checkpoint.h"
#include "outerloop/data/image_set.h"
#include "outerloop/train/stored_run.h"

namespace outerloop::train {

void store_preparation(const data::ImagePreparation& preparation, checkpoint::Checkpoint& to);

// Of a checkpoint that lacks it, from the data set.
data::ImagePreparation stored_preparation(const StoredRun& run);

}  // namespace outerloop::train
