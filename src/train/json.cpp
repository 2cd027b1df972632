#include "train/json.h"

namespace outerloop::train {

nlohmann::ordered_json to_json(const Statistic& statistic) {
  return {{"mean", statistic.mean},
          {"ci95", statistic.ci95},
          {"median", statistic.median},
          {"tasks", statistic.tasks}};
}

nlohmann::ordered_json to_json(const EvaluationResult& result) {
  nlohmann::ordered_json json;
  if (!result.accuracy.empty()) json["accuracy"] = to_json(result.accuracy.back());
  json["loss"] = to_json(result.loss.back());
  json["tasks"] = result.tasks;
  json["diverged"] = result.diverged.back();
  json["diverged_fraction"] = static_cast<double>(result.diverged.back()) /
                              static_cast<double>(std::max<int64_t>(result.tasks, 1));
  auto& curve = json["curve"] = nlohmann::ordered_json::array();
  for (size_t k = 0; k < result.loss.size(); ++k) {
    nlohmann::ordered_json point{{"step", k}, {"loss", to_json(result.loss[k])}};
    if (!result.accuracy.empty()) point["accuracy"] = to_json(result.accuracy[k]);
    point["diverged"] = result.diverged[k];
    curve.push_back(std::move(point));
  }
  return json;
}

}  // namespace outerloop::train
