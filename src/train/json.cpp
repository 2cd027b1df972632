#include "train/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace outerloop::train {

nlohmann::ordered_json to_json(const Statistic& statistic) {
  return {{"mean", statistic.mean},
          {"ci95", statistic.ci95},
          {"median", statistic.median},
          {"tasks", statistic.tasks}};
}

Statistic statistic_of(const nlohmann::ordered_json& json) {
  return {.mean = number_of(json, "mean"),
          .ci95 = number_of(json, "ci95"),
          .median = number_of(json, "median"),
          .tasks = json.value("tasks", int64_t{0})};
}

double number_of(const nlohmann::ordered_json& json, const char* key) {
  const auto found = json.find(key);
  const bool is_there = found != json.end() && found->is_number();
  return is_there ? found->get<double>() : std::numeric_limits<double>::quiet_NaN();
}

nlohmann::ordered_json to_json(const EvaluationResult& result) {
  nlohmann::ordered_json json;
  if (!result.accuracy.empty()) json["accuracy"] = to_json(result.accuracy.back());
  json["loss"] = to_json(result.loss.back());
  json["tasks"] = result.tasks;
  if (result.distinct > 0) json["distinct"] = result.distinct;
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

namespace {

const char* normalised_together(const config::Learner& learner) {
  if (!learner.transductive) return "the support set and one query";
  return learner.joint_batch ? "support and query together"
                             : "the current batch, support and query apart";
}

std::string batch_norm_mode(const config::Config& config) {
  if (config.model.norm != config::Norm::batch) return "none";
  return fmt::format("{} of {}", config::word(config.model.norm_mode),
                     normalised_together(config.learner));
}

}  // namespace

nlohmann::ordered_json protocol_json(const config::Config& config) {
  const config::Protocol test = config::test_protocol(config);
  return {{"batch_norm", batch_norm_mode(config)},
          {"transductive", config.model.norm == config::Norm::batch && config.learner.transductive},
          {"loss", config.inner.loss_reduction == config::LossReduction::mean
                       ? "mean over examples"
                       : "sum over ways, mean over shots"},
          {"ways", test.ways},
          {"shots", test.shots},
          {"queries_per_class", test.queries},
          {"steps_at_test", test.steps},
          {"rotation", config::word(test.rotation)},
          {"within", config::word(test.within)},
          {"diverged_above_loss", config.test.diverged_loss},
          {"ensemble", 1}};
}

}  // namespace outerloop::train
