#pragma once
// Going on with a run.

#include "train/training.h"

namespace outerloop::train {

// Throws BadInput when a training cannot begin from the checkpoint file of the command line: to be
// asked before there is a folder of the run.
void check_file_to_begin_from(const Training& training);

// Collective: the leader's checkpoint, where there is one to go on from, is everybody's state.
// Throws BadInput when it is of another run or of a longer one.
void resume(Training& training);

// Collective: whether the run had come to its end before, result included.
bool finished_before(Training& training);

}  // namespace outerloop::train
