#include "outerloop/train/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"
#include "outerloop/comm/agreement.h"
#include "outerloop/comm/local.h"
#include "outerloop/config/print.h"
#include "outerloop/train/build_info.h"
#include "outerloop/train/meta_step.h"
#include "outerloop/train/setup.h"
#include "train/hash_log.h"
#include "train/json.h"
#include "train/metrics_lines.h"
#include "train/outer_state.h"
#include "train/preparation.h"
#include "train/run_files.h"
#include "train/same_run.h"
#include "train/summary.h"

namespace outerloop::train {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();  // null in JSON

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// One rank's part in a training. All ranks go through the same iterations with the same numbers;
// the first one leads: it alone reads and writes the run folder.
class Session {
 public:
  Session(const config::Resolved& resolved, const TrainOptions& options)
      : config_(resolved.config),
        hash_(config::config_hash(config_)),
        options_(options),
        ranks_(options.ranks != nullptr ? *options.ranks : alone_.rank(0)),
        pool_(static_cast<int>(config_.runtime.threads)) {
    make_ready(resolved.folder);
  }

  TrainResult run() {
    try {
      return train();
    } catch (const std::exception& error) {
      log_file_(LogLevel::error, error.what());
      throw;
    }
  }

 private:
  // ---- Setting up -------------------------------------------------------------------------

  bool leads() const { return ranks_.rank() == 0; }

  // Phases that all ranks pass, or none.
  void make_ready(const fs::path& folder) {
    comm::fail_together(ranks_, "data and tasks",
                        [&] { setup_.emplace(make_training_setup(config_, folder)); });
    require_one_run();
    comm::fail_together(ranks_, "run folder", [&] {
      if (leads()) files_.emplace(config_, options_, warning());
    });
    comm::fail_together(ranks_, "programs and memory", [&] {
      log_file_ = file_sink(RunFolder{config_.run_dir}.log(ranks_.rank()));
      step_.emplace(config_, setup_->learner, setup_->train_shape, setup_->train_tasks, pool_,
                    compile_options(config_), &ranks_);
      step_->set_gradient_hook(options_.gradient_hook);
      if (config_.log.hashes) hashes_.emplace(ranks_, hash_names(config_, step_->layout()));
    });
    state_ = starting_state(setup_->learner);
  }

  // Ranks of different programs, configs or data would give neither's results.
  void require_one_run() {
    if (ranks_.size() == 1) return;
    comm::require_equal(ranks_, "program", "the program",
                        checkpoint::content_hash("/proc/self/exe"),
                        "start the same outerloop on every host");
    comm::require_equal(ranks_, "config", "the config", hash_,
                        "give every rank the same config file and overrides");
    comm::require_equal(ranks_, "data set", "the data set", setup_->data.fingerprint,
                        "copy one file to every host");
  }

  RunFiles::Warn warning() {
    return [this](const std::string& text) { say(LogLevel::warning, text); };
  }

  // The same on every rank; the leader says it to the user.
  void say(LogLevel level, const std::string& message) {
    if (log_file_) log_file_(level, message);
    if (options_.log == nullptr || !leads()) return;
    level == LogLevel::warning ? options_.log->warning("{}", message)
                               : options_.log->info("{}", message);
  }

  // ---- From the start to the end ----------------------------------------------------------

  TrainResult train() {
    resume();
    if (finished_before()) return result(Outcome::finished_before);
    open_files();
    while (!is_over()) {
      if (std::string why = reason_to_stop(); !why.empty()) return stop(std::move(why));
      iterate();
    }
    if (!is_saved()) save(false);
    if (files_) files_->finish_saving();
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
    return {.outcome = outcome, .iterations = state_.iteration, .folder = config_.run_dir};
  }

  TrainResult stop(std::string why) {
    if (!is_saved()) save(false);
    if (files_) {
      files_->finish_saving();
      files_->remove_stop_file();
    }
    say(LogLevel::info,
        fmt::format("stopped by {} at iteration {} with a checkpoint", why, state_.iteration));
    TrainResult stopped = result(Outcome::stopped);
    stopped.why = std::move(why);
    return stopped;
  }

  // ---- Resuming ---------------------------------------------------------------------------

  // The leader's checkpoint is everybody's state.
  void resume() {
    OuterState outer = step_->state();
    comm::fail_together(ranks_, "resuming", [&] {
      if (leads()) read_start_point(outer);
    });
    if (ranks_.size() > 1) {
      std::array<int64_t, 2> known{resumed_from_, saved_iteration_};
      ranks_.broadcast("start point", std::span<int64_t>(known), 0);
      resumed_from_ = known[0];
      saved_iteration_ = known[1];
    }
    if (resumed_from_ < 0) return;
    if (ranks_.size() > 1) broadcast_state(ranks_, outer, state_, 0);
    step_->set_state(outer);
    window_began_at_ = state_.iteration;
  }

  void read_start_point(OuterState& outer) {
    const auto check = [this](const checkpoint::Checkpoint& found, const fs::path& source) {
      check_same_run(found, source, config_, setup_->data.fingerprint);
    };
    const std::optional<checkpoint::Checkpoint> found = files_->start_point(check);
    if (!found) return;
    const fs::path source = files_->source();
    if (found->iteration > config_.outer.iterations) {
      throw BadInput(
          fmt::format("{} has {} iterations already, more than outer.iterations = {}; raise that, "
                      "or choose another run_dir",
                      source.string(), found->iteration, config_.outer.iterations));
    }
    outer = read_outer_state(*found, step_->state(), step_->layout(), source);
    state_ = read_state(*found, setup_->learner);
    resumed_from_ = state_.iteration;
    // From another folder, or of a run that had another length: this folder needs its own.
    if (!options_.resume_from && found->config_hash == hash_) saved_iteration_ = state_.iteration;
  }

  bool finished_before() {
    if (resumed_from_ < 0 || !is_over()) return false;
    int64_t known = leads() && has_summary(files_->folder(), hash_, state_.iteration) ? 1 : 0;
    ranks_.broadcast("finished before", std::span(&known, 1), 0);
    return known == 1;
  }

  // ---- Files: the leader's ----------------------------------------------------------------

  void open_files() {
    comm::fail_together(ranks_, "files", [&] {
      if (!leads()) return;
      if (resumed_from_ >= 0) {
        say(LogLevel::info, fmt::format("resuming {} at iteration {}", files_->source().string(),
                                        state_.iteration));
      }
      const std::string isa(exec::name_of(compile_options(config_).isa));
      files_->open(config_, describe_run(config_, setup_->data, isa, pool_.size(), ranks_.hosts()),
                   hash_names(config_, step_->layout()), state_.iteration, state_.best_iteration);
    });
    started_ = window_started_ = Clock::now();
  }

  void record(const Json& line) {
    if (files_) files_->record(line);
  }

  bool is_saved() const { return saved_iteration_ == state_.iteration; }

  void flush_hashes() { hashes_->flush(files_ ? files_->hashes() : nullptr); }

  void save(bool is_best) {
    saved_iteration_ = state_.iteration;
    if (hashes_) flush_hashes();
    if (!files_) return;
    checkpoint::Checkpoint c{.iteration = state_.iteration,
                             .config = stored_config_,
                             .config_hash = hash_,
                             .dataset_fingerprint = setup_->data.fingerprint};
    store_outer_state(step_->state(), step_->layout(), c);
    store_state(state_, c);
    c.integers["seed"] = config_.seed;
    store_preparation(setup_->data, c);
    files_->save(c, is_best, effort());
  }

  // Spent in this folder so far, earlier processes included. The leader's.
  Effort effort() const {
    const Effort earlier = files_ ? files_->earlier() : Effort{};
    return {
        .iterations = earlier.iterations + state_.iteration - std::max<int64_t>(resumed_from_, 0),
        .wall_s = earlier.wall_s + seconds_since(started_)};
  }

  // ---- The loop ---------------------------------------------------------------------------

  // The same on all ranks, so that all stop after the same iteration.
  std::string reason_to_stop() {
    std::string why = own_reason_to_stop();
    if (ranks_.size() == 1) return why;
    int64_t any = why.empty() ? 0 : 1;
    ranks_.all_reduce("stop requests", std::span(&any, 1), comm::Reduction::max);
    return any == 0 ? std::string() : first_reason(why);
  }

  // Of the lowest rank that has one.
  std::string first_reason(const std::string& own) {
    for (std::string& why : comm::all_gather_strings(ranks_, "reasons to stop", own)) {
      if (!why.empty()) return std::move(why);
    }
    return {};
  }

  // The clock and the STOP file are looked at ten times a second.
  std::string own_reason_to_stop() {
    if (options_.stop_requested) {
      if (std::string why = options_.stop_requested(); !why.empty()) return why;
    }
    const Clock::time_point now = Clock::now();
    if (now - checked_ < std::chrono::milliseconds(100)) return {};
    checked_ = now;
    if (options_.max_wall && now - born_ >= *options_.max_wall) return "--max-wall";
    return files_ && files_->stop_asked() ? "the STOP file" : "";
  }

  bool is_over() const { return state_.iteration == config_.outer.iterations || out_of_patience(); }

  bool out_of_patience() const {
    return config_.validation.patience > 0 &&
           state_.without_improvement >= config_.validation.patience;
  }

  static bool due(int64_t iteration, int64_t every) { return every > 0 && iteration % every == 0; }

  void iterate() {
    const MetaStepResult result = step_->run(state_.iteration);
    ++state_.iteration;
    if (hashes_) {
      hashes_->add(state_.iteration, step_->hashes());
      if (hashes_->full()) flush_hashes();
    }
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
      if (step_->has_accuracy()) sample.accuracy = result.accuracy;
      options_.on_iteration(sample);
    }
  }

  [[noreturn]] void give_up() {
    if (files_) files_->finish_saving();
    throw comm::AgreedFailure(fmt::format(
        "{} tasks gave losses or gradients that are not finite, more than stop.max_nonfinite = {}; "
        "lower inner.rate or outer.rate, or set outer.clip_norm, in another run_dir",
        state_.nonfinite, config_.stop.max_nonfinite));
  }

  void log_window() {
    warn_of_measures();
    Json line = train_line(state_, step_->has_accuracy());
    line["rate"] = optim::rate_at(config_.outer, state_.iteration - 1);
    const double seconds = seconds_since(window_started_);
    line["tasks_per_s"] = static_cast<double>(state_.iteration - window_began_at_) *
                          static_cast<double>(config_.outer.meta_batch) / std::max(seconds, 1e-9);
    line["wall_s"] = effort().wall_s;
    record(line);
    state_.window_loss = state_.window_accuracy = 0;
    for (MeasureSums& sums : state_.measures) sums.window = 0;
    state_.window_count = 0;
    window_started_ = Clock::now();
    window_began_at_ = state_.iteration;
  }

  // Once for each of the learner's measures.
  void warn_of_measures() {
    if (state_.window_count == 0) return;
    const auto count = static_cast<double>(state_.window_count);
    warned_.resize(state_.measures.size());
    for (size_t m = 0; m < state_.measures.size(); ++m) {
      const meta::Measure& measure = setup_->learner.measures[m];
      const double mean = state_.measures[m].window / count;
      if (warned_[m] || !(mean > measure.warn_above)) continue;
      warned_[m] = true;
      say(LogLevel::warning, fmt::format("{} is {:.3g} at iteration {}: {}", measure.name, mean,
                                         state_.iteration, measure.advice));
    }
  }

  Evaluator& evaluator() {
    if (!evaluator_) {
      evaluator_.emplace(setup_->learner, setup_->test_shape, setup_->test_steps,
                         setup_->test_tasks, pool_, compile_options(config_), &ranks_);
    }
    return *evaluator_;
  }

  bool validate() {
    const Clock::time_point start = Clock::now();
    evaluator().set_theta(test_theta(step_->state()));
    const EvaluationResult result =
        evaluator().evaluate(static_cast<uint64_t>(config_.seed), data::Split::validation,
                             config_.validation.tasks, config_.test.diverged_loss);
    Json line = validation_line(state_.iteration, result);
    line["wall_s"] = effort().wall_s;
    record(line);
    window_started_ += Clock::now() - start;
    say(LogLevel::info, describe_validation(state_.iteration, result));
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

  struct Tested {
    fs::path file;
    Tensor theta;
  };

  // The best checkpoint in validation, else the last. The file is the leader's to know.
  Tested tested() {
    Tested chosen{{}, test_theta(step_->state()).clone()};
    if (leads()) read_tested(chosen);
    ranks_.broadcast("tested theta", chosen.theta.as<float>(), 0);
    return chosen;
  }

  void read_tested(Tested& chosen) {
    chosen.file = files_->checkpoint_of(state_.iteration);
    const std::optional<fs::path> best = files_->best();
    if (!best) return;
    try {
      chosen.theta = answering_theta(checkpoint::read_checkpoint(*best), step_->layout());
      chosen.file = *best;
    } catch (const CorruptFile& error) {
      say(LogLevel::warning,
          fmt::format("{}; the last checkpoint is tested instead of the best", error.what()));
    }
  }

  // Returns why the test was given up, if it was.
  std::string finish() {
    const Effort trained = effort();
    const Tested chosen = tested();
    std::optional<EvaluationResult> test;
    if (config_.test.tasks > 0) {
      std::string why;
      const auto cancelled = [&] { return !(why = own_reason_to_stop()).empty(); };
      evaluator().set_theta(chosen.theta);
      test = evaluator().evaluate_unless(cancelled, static_cast<uint64_t>(config_.seed),
                                         data::Split::test, config_.test.tasks,
                                         config_.test.diverged_loss);
      if (!test) return first_reason(why);
    }
    if (files_) write_result(trained, chosen.file, test);
    // The others end when the result is there.
    ranks_.barrier("end");
    return {};
  }

  void write_result(const Effort& trained, const fs::path& tested_file,
                    const std::optional<EvaluationResult>& test) {
    const fs::path last = files_->checkpoint_of(state_.iteration);
    const auto tasks = static_cast<double>(trained.iterations * config_.outer.meta_batch);
    Json summary{{"config_hash", hash_},
                 {"seed", config_.seed},
                 {"algorithm", config_.learner.algorithm},
                 {"reduction", config::word(config_.runtime.reduction)},
                 {"iterations", state_.iteration},
                 {"early_stopped", state_.iteration < config_.outer.iterations},
                 {"nonfinite", state_.nonfinite},
                 {"wall_s", trained.wall_s},
                 {"tasks_per_s", tasks / std::max(trained.wall_s, 1e-9)},
                 {"final_checkpoint", fs::absolute(last).string()},
                 {"final_content_hash", checkpoint::content_hash(last)},
                 {"checkpoint", fs::absolute(tested_file).string()},
                 {"content_hash", checkpoint::content_hash(tested_file)}};
    for (const MeasureSums& sums : state_.measures) {
      summary[sums.name] = sums.run / static_cast<double>(state_.measured);
    }
    if (state_.best_iteration >= 0) summary["best_iteration"] = state_.best_iteration;
    if (test) {
      summary["test"] = to_json(*test);
      write_file_atomically(files_->folder().test_tasks(), per_task_csv(*test));
    }
    write_summary(files_->folder(), summary);
    files_->remove_stop_file();
  }

  Clock::time_point born_ = Clock::now();
  config::Config config_;
  std::string hash_;
  std::string stored_config_ = config::to_yaml(config::without_incidentals(config_));
  TrainOptions options_;
  comm::LocalGroup alone_{1};
  comm::Communicator& ranks_;
  std::optional<Setup> setup_;
  LogSink log_file_;
  std::optional<RunFiles> files_;  // the leader's
  ThreadPool pool_;
  std::optional<MetaStep> step_;
  std::optional<HashLog> hashes_;
  std::optional<Evaluator> evaluator_;
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
