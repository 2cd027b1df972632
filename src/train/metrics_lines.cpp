#include "train/metrics_lines.h"

#include <fmt/format.h>

#include "train/statistic_text.h"

namespace outerloop::train {
namespace {

using Json = nlohmann::ordered_json;

bool classification(const EvaluationResult& result) {
  return !result.accuracy.empty();
}

}  // namespace

Json train_line(const TrainingState& state, bool has_accuracy) {
  const double count = state.window_count > 0 ? static_cast<double>(state.window_count) : kNone;
  Json line{{"iteration", state.iteration}, {"kind", "train"}, {"loss", state.window_loss / count}};
  if (has_accuracy) line["accuracy"] = state.window_accuracy / count;
  line["nonfinite"] = state.nonfinite;
  for (const MeasureSums& sums : state.measures) line[sums.name] = sums.window / count;
  return line;
}

Json validation_line(int64_t iteration, const EvaluationResult& result) {
  Json line{{"iteration", iteration}, {"kind", "validation"}};
  line["loss"] = result.loss.back().mean;
  line["loss_ci95"] = result.loss.back().ci95;
  line["loss_median"] = result.loss.back().median;
  if (classification(result)) {
    line["accuracy"] = result.accuracy.back().mean;
    line["accuracy_ci95"] = result.accuracy.back().ci95;
  }
  line["tasks"] = result.tasks;
  line["diverged"] = result.diverged.back();
  return line;
}

std::string describe_validation(int64_t iteration, const EvaluationResult& result) {
  const bool shares = classification(result);
  const Statistic& s = shares ? result.accuracy.back() : result.loss.back();
  const Units units = units_of(shares);
  std::string text =
      fmt::format("iteration {}: validation {} {} ({})", iteration, shares ? "accuracy" : "loss",
                  mean_in_words(s, units), tasks_in_words(s));
  // What decides on the best checkpoint is said: see score().
  if (!shares) text += ", median " + median_in_words(s, units);
  return text;
}

double score(const EvaluationResult& result) {
  return classification(result) ? result.accuracy.back().mean : -result.loss.back().median;
}

}  // namespace outerloop::train
