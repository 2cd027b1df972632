#pragma once
// How images, or rows of a table, become inputs, kept in checkpoints: prediction needs it and not
// the data set.

#include "outerloop/checkpoint/checkpoint.h"
#include "outerloop/data/image_set.h"
#include "outerloop/data/table_set.h"
#include "outerloop/train/setup.h"
#include "outerloop/train/stored_run.h"

namespace outerloop::train {

// Of the data set that is there, if any.
void store_preparation(const Data& data, checkpoint::Checkpoint& to);

// Of a checkpoint that lacks it, from the data set.
data::ImagePreparation stored_image_preparation(const StoredRun& run);
// Throws CorruptFile on a checkpoint that lacks it.
data::TablePreparation stored_table_preparation(const StoredRun& run);

}  // namespace outerloop::train
