#include "outerloop/train/evaluate_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "outerloop/base/counted.h"
#include "outerloop/base/error.h"
#include "outerloop/config/print.h"
#include "outerloop/config/read.h"
#include "outerloop/config/word.h"
#include "outerloop/io/json_text.h"
#include "outerloop/train/setup.h"
#include "outerloop/train/stored_run.h"
#include "outerloop/train/theta.h"
#include "train/device_choice.h"
#include "train/json.h"
#include "train/statistic_text.h"

namespace outerloop::train {
namespace {

nlohmann::ordered_json json_of(const RunEvaluation& evaluation) {
  nlohmann::ordered_json json = to_json(evaluation.result);
  json["split"] = name_of(evaluation.split);
  json["seed"] = evaluation.seed;
  json["iteration"] = evaluation.iteration;
  json["checkpoint"] = evaluation.checkpoint_file.string();
  json["content_hash"] = evaluation.content_hash;
  json["protocol"] = protocol_json(evaluation.config);
  json["numerics"] = config::word(evaluation.config.runtime.numerics);
  json["precision"] = config::word(evaluation.config.runtime.precision);
  return json;
}

std::string curve_in_words(const EvaluationResult& result) {
  const bool classes = !result.accuracy.empty();
  const auto& curve = classes ? result.accuracy : result.loss;
  const Units units = units_of(classes);
  std::string text = classes ? "  step  accuracy\n" : "  step  loss\n";
  for (size_t k = 0; k < curve.size(); ++k) {
    text += fmt::format("  {:>4}  {}", k, mean_in_words(curve[k], units));
    if (curve[k].tasks > 0) {
      text += fmt::format(" (median {})", median_in_words(curve[k], units));
    }
    if (result.diverged[k] > 0) text += fmt::format(", {} diverged", result.diverged[k]);
    text += '\n';
  }
  const bool intervals =
      std::ranges::any_of(curve, [](const Statistic& s) { return std::isfinite(s.ci95); });
  return text + (intervals ? "mean over tasks ± 95 % interval" : tasks_in_words(curve.back())) +
         '\n';
}

// The number of tasks comes from elsewhere.
void refuse_test_tasks(std::span<const std::string> words) {
  const auto said = std::ranges::find(words, "test.tasks", config::key_of);
  if (said == words.end()) return;
  throw BadInput(fmt::format("'{}' has no effect here; give --tasks alone", *said));
}

// The processor's products are ordered ones.
void use_own_numerics(std::span<const std::string> words, config::Runtime& runtime) {
  const bool is_said = std::ranges::find(words, "runtime.numerics", config::key_of) != words.end();
  if (is_said || runtime.device != config::Device::cpu) return;
  runtime.numerics = config::Numerics::ordered;
  runtime.precision = config::Precision::float32;
}

}  // namespace

RunEvaluation evaluate_run(const std::filesystem::path& run, const EvaluateOptions& options) {
  const std::vector<std::string>& words = options.overrides;
  const StoredRun stored = open_run(run, options.checkpoint, words);
  RunEvaluation evaluation{.config = stored.config.config,
                           .checkpoint_file = stored.checkpoint_file,
                           .content_hash = checkpoint::content_hash(stored.checkpoint_file),
                           .iteration = stored.checkpoint.iteration,
                           .split = options.split,
                           .seed = options.seed.value_or(stored.config.config.seed)};
  use_own_numerics(words, evaluation.config.runtime);
  const config::Config& config = evaluation.config;
  check_device(config);
  const bool is_test = options.split == data::Split::test;
  if (!is_test || options.tasks) refuse_test_tasks(words);
  const int64_t tasks =
      options.tasks.value_or(is_test ? config.test.tasks : config.validation.tasks);
  if (tasks < 1) throw BadInput("no tasks to evaluate: the run has test.tasks = 0; give --tasks");

  const Setup setup = make_setup(stored);
  setup.test_tasks->check(options.split);
  const std::shared_ptr<exec::Device> device =
      options.device ? options.device : choose_device(config, nullptr);
  ThreadPool pool(static_cast<int>(config.runtime.threads),
                  device ? Pinning::none : Pinning::full_team);
  Evaluator evaluator(setup.learner, setup.test_shape, setup.test_steps, setup.test_tasks, pool,
                      compile_options(config), nullptr, device);
  evaluator.set_theta(answering_theta(stored.checkpoint, layout_of(setup.learner.parameters)));
  evaluation.result = evaluator.evaluate(static_cast<uint64_t>(evaluation.seed), options.split,
                                         tasks, config.test.diverged_loss);
  return evaluation;
}

std::string to_json_text(const RunEvaluation& evaluation) {
  return io::json_text(json_of(evaluation), 2) + "\n";
}

std::string describe(const RunEvaluation& evaluation) {
  const config::Protocol protocol = config::test_protocol(evaluation.config);
  const bool again =
      evaluation.result.distinct > 0 && evaluation.result.distinct < evaluation.result.tasks;
  std::string text = fmt::format(
      "{} at iteration {}: {} of the {} split{}, seed {}\n", evaluation.checkpoint_file.string(),
      evaluation.iteration, counted(evaluation.result.tasks, "task"), name_of(evaluation.split),
      again
          ? fmt::format(", which has {}: the draws of each count once", evaluation.result.distinct)
          : "",
      evaluation.seed);
  if (config::is_classification(evaluation.config)) {
    text +=
        fmt::format("{}, {}, {} per class, {}\n", counted(protocol.ways, "way"),
                    counted(protocol.shots, "shot"), counted(protocol.queries, "query", "queries"),
                    counted(protocol.steps, "step"));
  } else {
    text += fmt::format("{}, {}, {}\n", counted(protocol.shots, "support point"),
                        counted(protocol.queries, "query point"), counted(protocol.steps, "step"));
  }
  return text + curve_in_words(evaluation.result);
}

}  // namespace outerloop::train
