#pragma once
// summary.json: the result of a finished run.

#include <nlohmann/json.hpp>

#include "outerloop/train/run_folder.h"

namespace outerloop::train {

void write_summary(const RunFolder& folder, const nlohmann::ordered_json& summary);

// Whether the folder holds the readable summary of just this training.
bool has_summary(const RunFolder& folder, const std::string& config_hash, int64_t iterations);

}  // namespace outerloop::train
