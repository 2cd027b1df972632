#pragma once
// What metrics.jsonl and the user's log say of a training on its way.

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "outerloop/train/evaluation.h"
#include "train/training_state.h"

namespace outerloop::train {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();  // null in JSON

// Means over the iterations since the line before; null where none had a finite task. Without
// rates, speeds and times.
nlohmann::ordered_json train_line(const TrainingState& state, bool has_accuracy);
nlohmann::ordered_json validation_line(int64_t iteration, const EvaluationResult& result);

// "iteration 2000: validation accuracy 96.1 ± 0.42 % (600 tasks)"; of losses the median, too.
std::string describe_validation(int64_t iteration, const EvaluationResult& result);

// The higher the better. Accuracies are compared by mean, losses by median: a diverged task does
// not decide.
double score(const EvaluationResult& result);

}  // namespace outerloop::train
