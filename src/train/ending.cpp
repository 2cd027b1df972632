#include "train/ending.h"

#include <fmt/format.h>

#include <algorithm>

#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"
#include "train/json.h"
#include "train/outer_state.h"
#include "train/summary.h"

namespace outerloop::train {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct Tested {
  fs::path file;  // the leader's to know
  Tensor theta;
};

void read_tested(Training& training, Tested& chosen) {
  chosen.file = training.files->checkpoint_of(training.state.iteration);
  const std::optional<fs::path> best = training.files->best();
  if (!best) return;
  try {
    chosen.theta = answering_theta(checkpoint::read_checkpoint(*best), training.step->layout());
    chosen.file = *best;
  } catch (const CorruptFile& error) {
    training.say(
        LogLevel::warning,
        fmt::format("{}; the last checkpoint is tested instead of the best", error.what()));
  }
}

Tested tested(Training& training) {
  Tested chosen{{}, test_theta(training.step->state()).clone()};
  if (training.leads()) read_tested(training, chosen);
  training.ranks.broadcast("tested theta", chosen.theta.as<float>(), 0);
  return chosen;
}

void write_result(const Training& training, const Effort& trained, const fs::path& tested_file,
                  const std::optional<EvaluationResult>& test) {
  const config::Config& config = training.config;
  const TrainingState& state = training.state;
  const RunFiles& files = *training.files;
  const fs::path last = files.checkpoint_of(state.iteration);
  const auto tasks = static_cast<double>(trained.iterations * config.outer.meta_batch);
  Json summary{{"config_hash", training.hash},
               {"seed", config.seed},
               {"algorithm", config.learner.algorithm},
               {"reduction", config::word(config.runtime.reduction)},
               {"iterations", state.iteration},
               {"early_stopped", state.iteration < config.outer.iterations},
               {"nonfinite", state.nonfinite},
               {"wall_s", trained.wall_s},
               {"tasks_per_s", tasks / std::max(trained.wall_s, 1e-9)},
               {"final_checkpoint", fs::absolute(last).string()},
               {"final_content_hash", checkpoint::content_hash(last)},
               {"checkpoint", fs::absolute(tested_file).string()},
               {"content_hash", checkpoint::content_hash(tested_file)}};
  for (const MeasureSums& sums : state.measures) {
    summary[sums.name] = sums.run / static_cast<double>(state.measured);
  }
  if (state.best_iteration >= 0) summary["best_iteration"] = state.best_iteration;
  if (test) {
    summary["test"] = to_json(*test);
    write_file_atomically(files.folder().test_tasks(), per_task_csv(*test));
  }
  write_summary(files.folder(), summary);
  files.remove_stop_file();
  files.forget_beginning();
}

}  // namespace

std::string finish(Training& training) {
  const Effort trained = training.effort();
  const Tested chosen = tested(training);
  Evaluated test;
  if (training.config.test.tasks > 0) {
    test = training.evaluate(chosen.theta, data::Split::test, training.config.test.tasks);
    if (!test.result) return test.why_ended;
  }
  if (training.files) write_result(training, trained, chosen.file, test.result);
  // The others end when the result is there.
  training.ranks.barrier("end");
  return {};
}

}  // namespace outerloop::train
