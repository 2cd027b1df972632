#pragma once
// What a run will need, known before it starts.

#include <cstdint>
#include <string>

#include "outerloop/config/read.h"

namespace outerloop::train {

struct MemoryForecast {
  int64_t parameters = 0;     // meta-parameters
  double flops_per_task = 0;  // counted from the op records
  int64_t kernel_calls_per_task = 0;
  int64_t lane_bytes = 0;    // planned arena of one thread
  int64_t buffer_bytes = 0;  // all threads, arenas included, as MetaStep::buffer_bytes()
  int64_t data_bytes = 0;
  int64_t checkpoint_bytes = 0;  // without the file format's own
  int64_t threads = 0;
  bool is_for_gpu = false;  // runtime.device=cuda: then it is what threads would need
};

// Compiles everything and runs nothing; of memory it takes that of the data set alone, so that a
// config too large for the machine gives a forecast too. Throws as train() does.
MemoryForecast forecast_memory(const config::Resolved& resolved);

// A few lines for people.
std::string describe(const MemoryForecast& forecast);

}  // namespace outerloop::train
