#pragma once
// A statistic as it is stored.

#include <nlohmann/json.hpp>

#include "outerloop/train/statistic.h"

namespace outerloop::train {

// {"mean", "ci95", "median", "tasks"}; numbers that are not finite become null.
nlohmann::ordered_json to_json(const Statistic& statistic);
Statistic statistic_of(const nlohmann::ordered_json& json);

// NaN where there is none under that key: numbers that were not finite are stored as null.
double number_of(const nlohmann::ordered_json& json, const char* key);

}  // namespace outerloop::train
