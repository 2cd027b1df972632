#pragma once
// The random numbers of one task.

#include "outerloop/base/philox.h"
#include "outerloop/data/episode.h"

namespace outerloop::data {

Philox task_stream(const TaskKey& key);

}  // namespace outerloop::data
