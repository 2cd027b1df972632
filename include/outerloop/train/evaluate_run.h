#pragma once
// A stored run on new tasks, by its own protocol or another: what `outerloop eval` does.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "outerloop/config/config.h"
#include "outerloop/data/episode.h"
#include "outerloop/train/evaluation.h"

namespace outerloop::train {

struct EvaluateOptions {
  std::string checkpoint = "best";  // as in open_run()
  data::Split split = data::Split::test;
  // Default: test.tasks or validation.tasks of the run. With a number, or on the validation split,
  // an override of test.tasks is refused.
  std::optional<int64_t> tasks;
  std::optional<int64_t> seed;         // default: the run's, which gives the tasks of its own test
  std::vector<std::string> overrides;  // see protocol_overrides()
  // For tests: what computes in place of what runtime.device says.
  std::shared_ptr<exec::Device> device;
};

struct RunEvaluation {
  config::Config config;  // with the overrides
  std::filesystem::path checkpoint_file;
  std::string content_hash;
  int64_t iteration = 0;  // outer iterations behind the checkpoint
  data::Split split = data::Split::test;
  int64_t seed = 0;
  EvaluationResult result;
};

// A pure function of the checkpoint, the protocol and the seed. Throws BadInput when `run` is no
// run folder, or when the learner or the data cannot do what the protocol asks, or without the GPU
// that a word asks for. A run does not keep runtime.device: it is the processor without a word, and
// then products are ordered ones unless a word says otherwise, whatever it was trained with.
RunEvaluation evaluate_run(const std::filesystem::path& run, const EvaluateOptions& options);

// JSON: the fields of "test" in summary.json, then the checkpoint, split, seed, protocol and
// numerics.
std::string to_json_text(const RunEvaluation& evaluation);
// A few lines for people.
std::string describe(const RunEvaluation& evaluation);

}  // namespace outerloop::train
