#include "outerloop/train/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"
#include "outerloop/checkpoint/store.h"
#include "outerloop/config/print.h"
#include "outerloop/train/meta_step.h"
#include "outerloop/train/run_folder.h"
#include "outerloop/train/setup.h"
#include "train/folder_claim.h"
#include "train/image_preparation.h"
#include "train/json.h"
#include "train/metrics_log.h"
#include "train/same_run.h"
#include "train/summary.h"
#include "train/time_log.h"
#include "train/training_state.h"

namespace outerloop::train {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();  // null in JSON

// The optimiser's state that a checkpoint keeps as a tree of parameters of its own.
constexpr std::string_view kRunningMean = "ema";

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// The learner's test-time meta-parameters: their running mean where the run keeps one.
const Tensor& test_theta(const OuterState& state) {
  for (const io::NamedTensor& item : state.optimizer) {
    if (item.name == kRunningMean) return item.value;
  }
  return state.theta;
}

class Session {
 public:
  Session(const config::Resolved& resolved, const TrainOptions& options)
      : config_(resolved.config),
        hash_(config::config_hash(config_)),
        options_(options),
        folder_{config_.run_dir},
        setup_(make_training_setup(config_, resolved.folder)),
        claim_(folder_),
        log_file_(file_sink(folder_.log())),
        pool_(static_cast<int>(config_.runtime.threads)),
        step_(config_, setup_.learner, setup_.train_shape, setup_.train_tasks, pool_,
              compile_options(config_)),
        store_(folder_.checkpoints(), {.keep_last = static_cast<int>(config_.checkpoint.keep_last),
                                       .keep_every = config_.checkpoint.keep_every,
                                       .keep_best = config_.checkpoint.best}),
        saver_(store_),
        state_(starting_state(setup_.learner)) {}

  TrainResult run() {
    try {
      return train();
    } catch (const std::exception& error) {
      log_file_(LogLevel::error, error.what());
      throw;
    }
  }

 private:
  TrainResult train() {
    resume();
    if (resumed_from_ >= 0 && is_over() && has_summary(folder_, hash_, state_.iteration)) {
      return result(Outcome::finished_before);
    }
    open_files();
    while (!is_over()) {
      if (std::string why = reason_to_stop(); !why.empty()) return stop(std::move(why));
      iterate();
    }
    keep_the_end();
    if (out_of_patience()) {
      say(LogLevel::info,
          fmt::format("stopped early: the last {} validations brought nothing better than "
                      "iteration {}",
                      config_.validation.patience, state_.best_iteration));
    }
    // The test can be made later, so it does not delay a stop.
    if (std::string why = reason_to_stop(); !why.empty()) return stop(std::move(why));
    if (std::string why = finish(); !why.empty()) return stop(std::move(why));
    return result(Outcome::done);
  }

  TrainResult result(Outcome outcome) const {
    return {.outcome = outcome, .iterations = state_.iteration, .folder = folder_.root};
  }

  TrainResult stop(std::string why) {
    if (!is_saved()) save(false);
    saver_.finish();
    remove(folder_.stop_file());
    say(LogLevel::info,
        fmt::format("stopped by {} at iteration {} with a checkpoint", why, state_.iteration));
    TrainResult stopped = result(Outcome::stopped);
    stopped.why = std::move(why);
    return stopped;
  }

  bool classification() const { return setup_.train_shape.classification; }

  void say(LogLevel level, const std::string& message) {
    log_file_(level, message);
    if (options_.log == nullptr) return;
    level == LogLevel::warning ? options_.log->warning("{}", message)
                               : options_.log->info("{}", message);
  }

  // ---- Resuming ---------------------------------------------------------------------------

  std::optional<checkpoint::Checkpoint> start_point() {
    const auto notice = [this](const std::string& text) { say(LogLevel::warning, text); };
    if (options_.resume_from) {
      // The folder may hold an earlier part of this run, but no other one.
      if (const auto newest = store_.load_newest(notice)) check(*newest, folder_.root);
      return checkpoint::read_checkpoint(*options_.resume_from);
    }
    if (options_.resume == Resume::automatic) return store_.load_newest(notice);
    if (store_.list().empty()) return std::nullopt;
    throw BadInput(
        fmt::format("{} already holds checkpoints; resume with --resume=auto or choose another "
                    "run_dir",
                    folder_.root.string()));
  }

  // What messages about the start point name: the checkpoint of the command line, or the run.
  fs::path source() const { return options_.resume_from.value_or(folder_.root); }

  void check(const checkpoint::Checkpoint& found, const fs::path& source) const {
    check_same_run(found, source, config_, setup_.data.fingerprint);
  }

  void resume() {
    const std::optional<checkpoint::Checkpoint> found = start_point();
    if (!found) return;
    check(*found, source());
    if (found->iteration > config_.outer.iterations) {
      throw BadInput(
          fmt::format("{} has {} iterations already, more than outer.iterations = {}; raise that, "
                      "or choose another run_dir",
                      source().string(), found->iteration, config_.outer.iterations));
    }
    OuterState state{.theta = flatten(found->parameters, step_.layout())};
    for (const io::NamedTensor& item : step_.state().optimizer) {
      if (item.name == kRunningMean && !found->ema.empty()) {
        state.optimizer.push_back({item.name, flatten(found->ema, step_.layout())});
        continue;
      }
      const auto place = std::ranges::find(found->optimizer, item.name, &io::NamedTensor::name);
      if (place == found->optimizer.end() || place->value.shape() != item.value.shape()) {
        throw BadInput(fmt::format(
            "{}: the checkpoint lacks the optimiser's '{}', without which a training cannot go on "
            "(an exported model has none)",
            source().string(), item.name));
      }
      state.optimizer.push_back(*place);
    }
    state_ = read_state(*found, setup_.learner);
    // Checkpoints without it are older: they counted iterations.
    const auto updates = found->integers.find("updates");
    state.updates = updates == found->integers.end() ? state_.iteration : updates->second;
    step_.set_state(state);
    resumed_from_ = window_began_at_ = state_.iteration;
    // From another folder, or of a run that had another length: this folder needs its own.
    if (!options_.resume_from && found->config_hash == hash_) saved_iteration_ = state_.iteration;
  }

  // ---- Files ------------------------------------------------------------------------------

  void open_files() {
    if (resumed_from_ >= 0) {
      say(LogLevel::info,
          fmt::format("resuming {} at iteration {}", source().string(), state_.iteration));
    }
    write_file_atomically(folder_.config(), config::to_yaml(config_));
    write_file_atomically(
        folder_.manifest(),
        describe_run(config_, setup_.data, std::string(exec::name_of(compile_options(config_).isa)),
                     pool_.size()));
    metrics_.emplace(folder_, state_.iteration);
    time_.emplace(folder_, state_.iteration);
    restore_best();
    // The run goes on: the result that it had is no longer its result.
    remove(folder_.summary());
    started_ = window_started_ = Clock::now();
  }

  // A kill may come between a checkpoint and its link `best`, a damaged checkpoint may have taken
  // the link with it, and a run that starts from another folder's checkpoint has none yet.
  void restore_best() {
    if (!config_.checkpoint.best || state_.best_iteration < 0) return;
    const fs::path file = store_.file_of(state_.best_iteration);
    if (fs::exists(file)) return store_.mark_best(state_.best_iteration);
    if (!options_.resume_from) return;
    const fs::path elsewhere = options_.resume_from->parent_path() / file.filename();
    try {
      if (fs::exists(elsewhere)) store_.save(checkpoint::read_checkpoint(elsewhere), true);
    } catch (const CorruptFile& error) {
      say(LogLevel::warning, fmt::format("{}; the best so far is lost", error.what()));
    }
  }

  static void remove(const fs::path& file) {
    std::error_code error;
    fs::remove(file, error);
    if (error) {
      throw SystemFailure(fmt::format("{}: cannot remove: {}", file.string(), error.message()));
    }
  }

  bool is_saved() const { return saved_iteration_ == state_.iteration; }

  void save(bool is_best) {
    checkpoint::Checkpoint c{.iteration = state_.iteration,
                             .config = config::to_yaml(config::without_incidentals(config_)),
                             .config_hash = hash_,
                             .dataset_fingerprint = setup_.data.fingerprint,
                             .parameters = unflatten(step_.state().theta, step_.layout())};
    for (const io::NamedTensor& item : step_.state().optimizer) {
      if (item.name == kRunningMean) {
        c.ema = unflatten(item.value, step_.layout());
      } else {
        c.optimizer.push_back(item);
      }
    }
    store_state(state_, c);
    c.integers["seed"] = config_.seed;
    c.integers["updates"] = step_.state().updates;
    if (setup_.data.images) store_preparation(setup_.data.images->preparation, c);
    metrics_->sync();
    time_->record(state_.iteration, effort());
    saver_.save(c, is_best);
    saved_iteration_ = state_.iteration;
  }

  // ---- The loop ---------------------------------------------------------------------------

  // The clock and the STOP file are looked at ten times a second.
  std::string reason_to_stop() {
    if (options_.stop_requested) {
      if (std::string why = options_.stop_requested(); !why.empty()) return why;
    }
    const Clock::time_point now = Clock::now();
    if (now - checked_ < std::chrono::milliseconds(100)) return {};
    checked_ = now;
    if (options_.max_wall && now - born_ >= *options_.max_wall) return "--max-wall";
    std::error_code ignored;
    if (fs::exists(folder_.stop_file(), ignored)) return "the STOP file";
    return {};
  }

  bool is_over() const { return state_.iteration == config_.outer.iterations || out_of_patience(); }

  bool out_of_patience() const {
    return config_.validation.patience > 0 &&
           state_.without_improvement >= config_.validation.patience;
  }

  static bool due(int64_t iteration, int64_t every) { return every > 0 && iteration % every == 0; }

  void iterate() {
    const MetaStepResult result = step_.run(state_.iteration);
    ++state_.iteration;
    state_.nonfinite += result.nonfinite;
    const bool any_finite = result.nonfinite < config_.outer.meta_batch;
    if (any_finite) {
      state_.window_loss += result.loss;
      state_.window_accuracy += result.accuracy;
      for (size_t m = 0; m < state_.measures.size(); ++m) {
        state_.measures[m].window += result.measures[m];
        state_.measures[m].run += result.measures[m];
      }
      ++state_.window_count;
      ++state_.measured;
    }
    const bool last = state_.iteration == config_.outer.iterations;
    if (last || due(state_.iteration, config_.log.every_iterations)) log_window();
    bool is_best = false;
    if (due(state_.iteration, config_.validation.every) || (last && config_.validation.every > 0)) {
      is_best = validate();
    }
    if (out_of_patience() && state_.window_count > 0) log_window();
    if (is_best || is_over() || due(state_.iteration, config_.checkpoint.every)) save(is_best);
    if (state_.nonfinite > config_.stop.max_nonfinite) give_up();
    if (options_.on_iteration) {
      Progress::Sample sample{.done = state_.iteration, .loss = any_finite ? result.loss : kNone};
      if (step_.has_accuracy()) sample.accuracy = result.accuracy;
      options_.on_iteration(sample);
    }
  }

  [[noreturn]] void give_up() {
    saver_.finish();
    throw SystemFailure(fmt::format(
        "{} tasks gave losses or gradients that are not finite, more than stop.max_nonfinite = {}; "
        "lower inner.rate or outer.rate, or set outer.clip_norm, in another run_dir",
        state_.nonfinite, config_.stop.max_nonfinite));
  }

  void log_window() {
    const double count = state_.window_count > 0 ? static_cast<double>(state_.window_count) : kNone;
    const double seconds = seconds_since(window_started_);
    Json line{
        {"iteration", state_.iteration}, {"kind", "train"}, {"loss", state_.window_loss / count}};
    if (step_.has_accuracy()) line["accuracy"] = state_.window_accuracy / count;
    line["rate"] = optim::rate_at(config_.outer, state_.iteration - 1);
    line["nonfinite"] = state_.nonfinite;
    for (const MeasureSums& sums : state_.measures) line[sums.name] = sums.window / count;
    warn_of_measures(count);
    line["tasks_per_s"] = static_cast<double>(state_.iteration - window_began_at_) *
                          static_cast<double>(config_.outer.meta_batch) / std::max(seconds, 1e-9);
    line["wall_s"] = effort().wall_s;
    metrics_->record(line);
    state_.window_loss = state_.window_accuracy = 0;
    for (MeasureSums& sums : state_.measures) sums.window = 0;
    state_.window_count = 0;
    window_started_ = Clock::now();
    window_began_at_ = state_.iteration;
  }

  // Once for each of the learner's measures.
  void warn_of_measures(double count) {
    warned_.resize(state_.measures.size());
    for (size_t m = 0; m < state_.measures.size(); ++m) {
      const meta::Measure& measure = setup_.learner.measures[m];
      const double mean = state_.measures[m].window / count;
      if (warned_[m] || !(mean > measure.warn_above)) continue;
      warned_[m] = true;
      say(LogLevel::warning, fmt::format("{} is {:.3g} at iteration {}: {}", measure.name, mean,
                                         state_.iteration, measure.advice));
    }
  }

  Evaluator& evaluator() {
    if (!evaluator_) {
      evaluator_.emplace(setup_.learner, setup_.test_shape, setup_.evaluation, setup_.test_tasks,
                         pool_, compile_options(config_));
    }
    return *evaluator_;
  }

  // Accuracies are compared by mean, losses by median: a diverged task does not decide.
  double score(const EvaluationResult& result) const {
    return classification() ? result.accuracy.back().mean : -result.loss.back().median;
  }

  void tell_validation(const EvaluationResult& result) {
    const bool shares = classification();
    const Statistic& s = shares ? result.accuracy.back() : result.loss.back();
    const double scale = shares ? 100 : 1;
    say(LogLevel::info, fmt::format("iteration {}: validation {} {:.4g} ± {:.2g}{} ({} tasks)",
                                    state_.iteration, shares ? "accuracy" : "loss", scale * s.mean,
                                    scale * s.ci95, shares ? " %" : "", s.tasks));
  }

  bool validate() {
    const Clock::time_point start = Clock::now();
    evaluator().set_theta(test_theta(step_.state()));
    const EvaluationResult result =
        evaluator().evaluate(static_cast<uint64_t>(config_.seed), data::Split::validation,
                             config_.validation.tasks, config_.test.diverged_loss);
    Json line{{"iteration", state_.iteration}, {"kind", "validation"}};
    line["loss"] = result.loss.back().mean;
    line["loss_ci95"] = result.loss.back().ci95;
    line["loss_median"] = result.loss.back().median;
    if (classification()) {
      line["accuracy"] = result.accuracy.back().mean;
      line["accuracy_ci95"] = result.accuracy.back().ci95;
    }
    line["tasks"] = result.tasks;
    line["diverged"] = result.diverged.back();
    line["wall_s"] = effort().wall_s;
    metrics_->record(line);
    window_started_ += Clock::now() - start;
    tell_validation(result);
    const double value = score(result);
    if (state_.best_iteration >= 0 && !(value > state_.best)) {
      ++state_.without_improvement;
      return false;
    }
    state_.best = value;
    state_.best_iteration = state_.iteration;
    state_.without_improvement = 0;
    return true;
  }

  // ---- The end ----------------------------------------------------------------------------

  void keep_the_end() {
    if (!is_saved()) save(false);
    saver_.finish();
  }

  struct Tested {
    fs::path file;
    Tensor theta;
  };

  // The best checkpoint in validation, else the last.
  Tested tested() {
    Tested last{store_.file_of(state_.iteration), test_theta(step_.state())};
    const std::optional<fs::path> best = config_.checkpoint.best ? store_.best() : std::nullopt;
    if (!best) return last;
    const fs::path file = store_.folder() / fs::read_symlink(store_.folder() / "best");
    try {
      return {file, answering_theta(checkpoint::read_checkpoint(file), step_.layout())};
    } catch (const CorruptFile& error) {
      say(LogLevel::warning,
          fmt::format("{}; the last checkpoint is tested instead of the best", error.what()));
      return last;
    }
  }

  // Returns why the test was given up, if it was.
  std::string finish() {
    const fs::path last = store_.file_of(state_.iteration);
    const Effort trained = effort();
    const auto tasks = static_cast<double>(trained.iterations * config_.outer.meta_batch);
    const Tested chosen = tested();
    Json summary{{"config_hash", hash_},
                 {"seed", config_.seed},
                 {"algorithm", config_.learner.algorithm},
                 {"iterations", state_.iteration},
                 {"early_stopped", state_.iteration < config_.outer.iterations},
                 {"nonfinite", state_.nonfinite},
                 {"wall_s", trained.wall_s},
                 {"tasks_per_s", tasks / std::max(trained.wall_s, 1e-9)},
                 {"final_checkpoint", fs::absolute(last).string()},
                 {"final_content_hash", checkpoint::content_hash(last)},
                 {"checkpoint", fs::absolute(chosen.file).string()},
                 {"content_hash", checkpoint::content_hash(chosen.file)}};
    for (const MeasureSums& sums : state_.measures) {
      summary[sums.name] = sums.run / static_cast<double>(state_.measured);
    }
    if (state_.best_iteration >= 0) summary["best_iteration"] = state_.best_iteration;
    if (config_.test.tasks > 0) {
      std::string why;
      const auto cancelled = [&] { return !(why = reason_to_stop()).empty(); };
      evaluator().set_theta(chosen.theta);
      const auto test = evaluator().evaluate_unless(cancelled, static_cast<uint64_t>(config_.seed),
                                                    data::Split::test, config_.test.tasks,
                                                    config_.test.diverged_loss);
      if (!test) return why;
      summary["test"] = to_json(*test);
      write_file_atomically(folder_.test_tasks(), per_task_csv(*test));
    }
    write_summary(folder_, summary);
    remove(folder_.stop_file());
    return {};
  }

  // Spent in this folder so far, earlier processes included.
  Effort effort() const {
    const Effort& earlier = time_->earlier();
    return {
        .iterations = earlier.iterations + state_.iteration - std::max<int64_t>(resumed_from_, 0),
        .wall_s = earlier.wall_s + seconds_since(started_)};
  }

  Clock::time_point born_ = Clock::now();
  config::Config config_;
  std::string hash_;
  TrainOptions options_;
  RunFolder folder_;
  Setup setup_;
  FolderClaim claim_;
  LogSink log_file_;
  ThreadPool pool_;
  MetaStep step_;
  checkpoint::Store store_;
  checkpoint::BackgroundSaver saver_;
  std::optional<Evaluator> evaluator_;
  std::optional<MetricsLog> metrics_;
  std::optional<TimeLog> time_;
  TrainingState state_;
  std::vector<bool> warned_;  // by measure
  int64_t resumed_from_ = -1;
  int64_t saved_iteration_ = -1;
  int64_t window_began_at_ = 0;
  Clock::time_point started_;
  Clock::time_point window_started_;
  Clock::time_point checked_;
};

}  // namespace

TrainResult train(const config::Resolved& resolved, const TrainOptions& options) {
  return Session(resolved, options).run();
}

}  // namespace outerloop::train
