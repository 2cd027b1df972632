#pragma once
// metrics.jsonl and its copy for TensorBoard.

#include <nlohmann/json.hpp>

#include "outerloop/io/jsonl.h"
#include "outerloop/io/tensorboard.h"
#include "outerloop/train/run_folder.h"

namespace outerloop::train {

class MetricsLog {
 public:
  // For a run that goes on from `iteration` (0: from its start): drops lines past it.
  MetricsLog(const RunFolder& folder, int64_t iteration);

  // The line has an integer "iteration" and a "kind"; its real numbers become <kind>/<name>.
  void record(const nlohmann::ordered_json& line);

 private:
  io::JsonlWriter lines_;
  io::EventWriter events_;
};

}  // namespace outerloop::train
