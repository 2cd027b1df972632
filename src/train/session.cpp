#include "outerloop/train/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "outerloop/base/error.h"
#include "outerloop/base/stopwatch.h"
#include "outerloop/comm/agreement.h"
#include "train/ending.h"
#include "train/metrics_lines.h"
#include "train/outer_state.h"
#include "train/resume.h"
#include "train/training.h"

namespace outerloop::train {
namespace {

// Slurm's script asks for this signal before each limit; elsewhere it is a person's.
bool is_time_limit(std::string_view why) {
  return why == kMaxWall || (why == "SIGUSR1" && std::getenv("SLURM_JOB_ID") != nullptr);
}

// From the start to the end.
class Session {
 public:
  explicit Session(Training& training)
      : training_(training), config_(training.config), state_(training.state) {}

  TrainResult run() {
    resume(training_);
    if (finished_before(training_)) return result(Outcome::finished_before);
    training_.open_files();
    window_ = Stopwatch();
    window_began_at_ = state_.iteration;
    if (state_.owes_validation) {
      if (std::string why = settle(); !why.empty()) return stop(std::move(why));
      has_progress_ = true;
    }
    while (!training_.is_over()) {
      if (std::string why = training_.reason_to_stop(); !why.empty()) return stop(std::move(why));
      if (std::string why = iterate_until_due(); !why.empty()) return stop(std::move(why));
    }
    if (!training_.is_saved()) training_.save(false);
    if (training_.files) training_.files->finish_saving();
    require_finite();
    if (training_.out_of_patience()) {
      say(LogLevel::info,
          fmt::format("stopped early: the last {} validations brought nothing better than "
                      "iteration {}",
                      config_.validation.patience, state_.best_iteration));
    }
    // The test can be made later, so it does not delay a stop.
    if (std::string why = training_.reason_to_stop(); !why.empty()) return stop(std::move(why));
    if (std::string why = finish(training_); !why.empty()) return stop(std::move(why));
    return result(Outcome::done);
  }

 private:
  void say(LogLevel level, const std::string& message) { training_.say(level, message); }

  TrainResult result(Outcome outcome) const {
    return {.outcome = outcome, .iterations = state_.iteration, .folder = config_.run_dir};
  }

  TrainResult stop(std::string why) {
    if (!training_.is_saved()) training_.save(false);
    if (training_.files) {
      training_.files->finish_saving();
      training_.files->remove_stop_file();
    }
    say(LogLevel::info,
        fmt::format("stopped by {} at iteration {} with a checkpoint", why, state_.iteration));
    require_progress(why);
    TrainResult stopped = result(Outcome::stopped);
    stopped.why = std::move(why);
    return stopped;
  }

  // What a process leaves undone is done anew by the next. One that has done nothing would end
  // there again, and who starts it again after each stop would do so for ever.
  void require_progress(const std::string& why) const {
    if (has_progress_ || state_.iteration != training_.resumed_from || !is_time_limit(why)) return;
    const bool evaluates = state_.owes_validation == 1 || training_.is_over();
    throw comm::AgreedFailure(fmt::format(
        "{} came before the end of {}, with which this process began; give it more time{}", why,
        evaluates ? fmt::format("the evaluation of iteration {}", state_.iteration)
                  : fmt::format("iteration {}", state_.iteration + 1),
        evaluates ? ", or set validation.tasks or test.tasks lower" : ""));
  }

  // One iteration; where a device needs no host, so many as it can, up to the next line of metrics,
  // validation or checkpoint, whichever comes first. Returns why the run is to stop with the last
  // iteration's validation undone, if so.
  std::string iterate_until_due() {
    std::string why;
    const auto told = [&](int64_t /*iteration*/, const MetaStepResult& step) { why = after(step); };
    training_.step->run(state_.iteration, iterations_until_due(), told);
    return why;
  }

  int64_t iterations_until_due() const {
    const int64_t left = config_.outer.iterations - state_.iteration;
    int64_t count = std::min(training_.step->most_at_once(), left);
    for (const int64_t every :
         {config_.log.every_iterations, config_.validation.every, config_.checkpoint.every}) {
      if (every > 0) count = std::min(count, every - state_.iteration % every);
    }
    return count;
  }

  std::string after(const MetaStepResult& step) {
    ++state_.iteration;
    if (training_.hashes) {
      training_.hashes->add(state_.iteration, training_.step->hashes());
      if (training_.hashes->full()) training_.flush_hashes();
    }
    count(step);
    const bool last = state_.iteration == config_.outer.iterations;
    if (last || training_.is_due(config_.log.every_iterations)) log_window();
    const int64_t every = config_.validation.every;
    state_.owes_validation = training_.is_due(every) || (last && every > 0) ? 1 : 0;
    if (std::string why = settle(); !why.empty()) return why;
    if (training_.options.on_iteration) {
      const bool any_finite = step.nonfinite < config_.outer.meta_batch;
      Progress::Sample sample{.done = state_.iteration, .loss = any_finite ? step.loss : kNone};
      if (any_finite && training_.step->has_accuracy()) sample.accuracy = step.accuracy;
      training_.options.on_iteration(sample);
    }
    return {};
  }

  void count(const MetaStepResult& step) {
    state_.nonfinite += step.nonfinite;
    if (step.nonfinite >= config_.outer.meta_batch) return;
    state_.window_loss += step.loss;
    state_.window_accuracy += step.accuracy;
    for (size_t m = 0; m < state_.measures.size(); ++m) {
      state_.measures[m].window += step.measures[m];
      state_.measures[m].run += step.measures[m];
    }
    ++state_.window_count;
    ++state_.measured;
  }

  // What is due after an iteration: its validation and its checkpoint.
  std::string settle() {
    const int64_t best_before = state_.best_iteration;
    if (state_.owes_validation) {
      if (std::string why = validate(); !why.empty()) return why;
    }
    if (training_.out_of_patience() && state_.window_count > 0) log_window();
    const bool is_best = config_.checkpoint.best && state_.best_iteration != best_before;
    // The checkpoint that a resumed run began from owes the validation that is now made.
    const bool goes_out_of_date = training_.is_saved();
    if (is_best && state_.validated_at_end == 1 && training_.files) training_.files->keep_best();
    if (is_best || goes_out_of_date || training_.is_over() ||
        training_.is_due(config_.checkpoint.every)) {
      training_.save(is_best);
    }
    require_finite();
    return {};
  }

  void require_finite() {
    if (state_.nonfinite <= config_.stop.max_nonfinite) return;
    if (training_.files) training_.files->finish_saving();
    throw comm::AgreedFailure(fmt::format(
        "{} tasks gave losses or gradients that are not finite, more than stop.max_nonfinite = {}; "
        "lower inner.rate or outer.rate, or set outer.clip_norm, in another run_dir",
        state_.nonfinite, config_.stop.max_nonfinite));
  }

  // A validation that a stop ends is made anew when the run goes on.
  std::string validate() {
    const Stopwatch validating;
    const Evaluated evaluated = training_.evaluate(
        test_theta(training_.step->state()), data::Split::validation, config_.validation.tasks);
    if (!evaluated.result) return evaluated.why_ended;
    state_.owes_validation = 0;
    nlohmann::ordered_json line = validation_line(state_.iteration, *evaluated.result);
    line["wall_s"] = training_.effort().wall_s;
    training_.record(line);
    validating_s_ += validating.seconds();
    say(LogLevel::info, describe_validation(state_.iteration, *evaluated.result));
    if (!training_.is_due(config_.validation.every)) state_.remember_before_end();
    const double value = score(*evaluated.result);
    if (state_.best_iteration >= 0 && !(value > state_.best)) {
      ++state_.without_improvement;
      return {};
    }
    state_.best = value;
    state_.best_iteration = state_.iteration;
    state_.without_improvement = 0;
    return {};
  }

  void log_window() {
    warn_of_measures();
    nlohmann::ordered_json line = train_line(state_, training_.step->has_accuracy());
    line["rate"] = optim::rate_at(config_.outer, state_.iteration - 1);
    const double seconds = window_.lap() - std::exchange(validating_s_, 0.0);
    line["tasks_per_s"] = static_cast<double>(state_.iteration - window_began_at_) *
                          static_cast<double>(config_.outer.meta_batch) / std::max(seconds, 1e-9);
    line["wall_s"] = training_.effort().wall_s;
    training_.record(line);
    state_.window_loss = state_.window_accuracy = 0;
    for (MeasureSums& sums : state_.measures) sums.window = 0;
    state_.window_count = 0;
    window_began_at_ = state_.iteration;
  }

  // Once for each of the learner's measures.
  void warn_of_measures() {
    if (state_.window_count == 0) return;
    const auto steps = static_cast<double>(state_.window_count);
    warned_.resize(state_.measures.size());
    for (size_t m = 0; m < state_.measures.size(); ++m) {
      const meta::Measure& measure = training_.setup->learner.measures[m];
      const double mean = state_.measures[m].window / steps;
      if (warned_[m] || !(mean > measure.warn_above)) continue;
      warned_[m] = true;
      say(LogLevel::warning, fmt::format("{} is {:.3g} at iteration {}: {}", measure.name, mean,
                                         state_.iteration, measure.advice));
    }
  }

  Training& training_;
  const config::Config& config_;
  TrainingState& state_;
  Stopwatch window_;  // since the last line of metrics
  double validating_s_ = 0;
  bool has_progress_ = false;  // something that the next process need not do again
  int64_t window_began_at_ = 0;
  std::vector<bool> warned_;  // by measure
};

}  // namespace

TrainResult train(const config::Resolved& resolved, const TrainOptions& options) {
  Training training(resolved, options);
  try {
    TrainResult result = Session(training).run();
    training.finish();
    return result;
  } catch (const std::exception& error) {
    training.log_file(LogLevel::error, error.what());
    throw;
  }
}

}  // namespace outerloop::train
