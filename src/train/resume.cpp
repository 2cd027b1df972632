#include "train/resume.h"

#include <fmt/format.h>

#include <array>

#include "outerloop/base/error.h"
#include "outerloop/comm/agreement.h"
#include "train/outer_state.h"
#include "train/outer_update.h"
#include "train/same_run.h"
#include "train/summary.h"

namespace outerloop::train {
namespace {

namespace fs = std::filesystem;

void check_length(const checkpoint::Checkpoint& found, const fs::path& source,
                  const config::Config& config) {
  if (found.iteration <= config.outer.iterations) return;
  throw BadInput(
      fmt::format("{} has {} iterations already, more than outer.iterations = {}; raise that, "
                  "or choose another run_dir",
                  source.string(), found.iteration, config.outer.iterations));
}

void read_start_point(Training& training, OuterState& outer) {
  const config::Config& config = training.config;
  const auto check = [&](const checkpoint::Checkpoint& found, const fs::path& source) {
    check_same_run(found, source, config, training.setup->data.fingerprint);
  };
  const std::optional<checkpoint::Checkpoint> found = training.files->start_point(check);
  if (!found) return;
  const fs::path source = training.files->source();
  check_length(*found, source, config);
  const MetaStep& step = *training.step;
  outer = read_outer_state(*found, step.state(), step.layout(), source);
  training.state = read_state(*found, training.setup->learner);
  if (training.state.iteration < config.outer.iterations) {
    training.state.forget_end(training.is_due(config.validation.every));
  }
  training.files->read_best(training.state.best_iteration, check);
  training.resumed_from = training.state.iteration;
  // From another folder, or of a run that had another length: this folder needs its own.
  if (!training.files->begins_from_file() && found->config_hash == training.hash) {
    training.saved_iteration = training.state.iteration;
  }
}

}  // namespace

void check_file_to_begin_from(const Training& training) {
  if (!training.options.resume_from) return;
  const fs::path& file = *training.options.resume_from;
  const checkpoint::Checkpoint found = checkpoint::read_checkpoint(file);
  check_same_run(found, file, training.config, training.setup->data.fingerprint);
  check_length(found, file, training.config);
  const nn::ParameterSpecs& parameters = training.setup->learner.parameters;
  const optim::ThetaLayout layout = layout_of(parameters);
  read_outer_state(found, initial_state(training.config, parameters, layout), layout, file);
}

void resume(Training& training) {
  comm::Communicator& ranks = training.ranks;
  OuterState outer = training.step->state();
  comm::fail_together(ranks, "resuming", [&] {
    if (training.leads()) read_start_point(training, outer);
  });
  if (ranks.size() > 1) {
    std::array<int64_t, 2> known{training.resumed_from, training.saved_iteration};
    ranks.broadcast("start point", std::span<int64_t>(known), 0);
    training.resumed_from = known[0];
    training.saved_iteration = known[1];
  }
  if (training.resumed_from < 0) return;
  if (ranks.size() > 1) broadcast_state(ranks, outer, training.state, 0);
  training.step->set_state(outer);
}

bool finished_before(Training& training) {
  const TrainingState& state = training.state;
  if (training.resumed_from < 0 || !training.is_over()) return false;
  const bool known_here =
      training.leads() && has_summary(training.files->folder(), training.hash, state.iteration);
  int64_t known = known_here ? 1 : 0;
  training.ranks.broadcast("finished before", std::span(&known, 1), 0);
  return known == 1;
}

}  // namespace outerloop::train
