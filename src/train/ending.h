#pragma once
// The end of a training: its test and its result.

#include <string>

#include "train/training.h"

namespace outerloop::train {

// Collective: tests the best checkpoint in validation, else the last, and writes the result.
// Returns why the test was given up, if it was.
std::string finish(Training& training);

}  // namespace outerloop::train
