#pragma once
// Results as JSON.

#include <nlohmann/json.hpp>

#include "outerloop/config/config.h"
#include "outerloop/train/evaluation.h"
#include "outerloop/train/statistic_json.h"

namespace outerloop::train {

// The results after the last step, and the curve over steps 0 … K.
nlohmann::ordered_json to_json(const EvaluationResult& result);

// What a result depends on besides the weights: how test tasks are drawn and solved.
nlohmann::ordered_json protocol_json(const config::Config& config);

}  // namespace outerloop::train
