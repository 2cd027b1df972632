#include "outerloop/train/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"
#include "outerloop/checkpoint/store.h"
#include "outerloop/config/print.h"
#include "outerloop/io/jsonl.h"
#include "outerloop/io/tensorboard.h"
#include "outerloop/train/meta_step.h"
#include "outerloop/train/run_folder.h"
#include "outerloop/train/setup.h"
#include "train/image_preparation.h"
#include "train/json.h"

namespace outerloop::train {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// What a checkpoint keeps besides arrays.
struct Progressed {
  int64_t iteration = 0;
  // Since the last line of metrics.
  double window_loss = 0;
  double window_accuracy = 0;
  int64_t window_count = 0;
  int64_t nonfinite = 0;
  // Validation: higher is better for accuracy, lower for loss.
  double best = 0;
  int64_t best_iteration = -1;
  int64_t without_improvement = 0;

  // One description for reading and writing.
  template <class Visitor>
  void visit(Visitor&& visitor) {
    visitor("iteration", iteration);
    visitor("window_loss", window_loss);
    visitor("window_accuracy", window_accuracy);
    visitor("window_count", window_count);
    visitor("nonfinite", nonfinite);
    visitor("best", best);
    visitor("best_iteration", best_iteration);
    visitor("without_improvement", without_improvement);
  }
};

struct Reader {
  const checkpoint::Checkpoint& from;
  void operator()(const char* name, int64_t& value) const { value = from.integers.at(name); }
  void operator()(const char* name, double& value) const { value = from.reals.at(name); }
};
struct Writer {
  checkpoint::Checkpoint& to;
  void operator()(const char* name, int64_t& value) const { to.integers[name] = value; }
  void operator()(const char* name, double& value) const { to.reals[name] = value; }
};

// The learner's test-time meta-parameters: their running mean where the run keeps one.
const Tensor& test_theta(const OuterState& state) {
  for (const io::NamedTensor& item : state.optimizer) {
    if (item.name == "ema") return item.value;
  }
  return state.theta;
}

class Session {
 public:
  Session(const config::Resolved& resolved, const TrainOptions& options)
      : config_(resolved.config),
        options_(options),
        folder_{config_.run_dir},
        setup_(make_setup(config_, resolved.folder)),
        pool_(static_cast<int>(config_.runtime.threads)),
        step_(config_, setup_.learner, setup_.train_shape, setup_.train_tasks, pool_,
              compile_options(config_)),
        store_(folder_.checkpoints(), {.keep_last = static_cast<int>(config_.checkpoint.keep_last),
                                       .keep_every = config_.checkpoint.keep_every,
                                       .keep_best = config_.checkpoint.best}),
        saver_(store_) {}

  TrainResult run() {
    resume();
    open_files();
    TrainResult result{.folder = folder_.root};
    while (progress_.iteration < config_.outer.iterations && !out_of_patience()) {
      if (const std::string why = reason_to_stop(); !why.empty()) {
        save(false);
        saver_.finish();
        fs::remove(folder_.stop_file());
        result.outcome = Outcome::stopped;
        result.why = why;
        result.iterations = progress_.iteration;
        return result;
      }
      iterate();
    }
    finish();
    result.iterations = progress_.iteration;
    return result;
  }

 private:
  bool classification() const { return setup_.train_shape.classification; }
  void say(const std::string& message) {
    if (options_.log != nullptr) options_.log->info("{}", message);
  }

  // ---- Resuming ---------------------------------------------------------------------------

  void resume() {
    std::optional<checkpoint::Checkpoint> found;
    if (options_.resume_from) {
      found = checkpoint::read_checkpoint(*options_.resume_from);
    } else if (options_.resume == Resume::automatic) {
      found = store_.load_newest([&](const std::string& skipped) {
        if (options_.log != nullptr) options_.log->warning("{}", skipped);
      });
    } else if (!store_.list().empty()) {
      throw BadInput(fmt::format(
          "{} already holds checkpoints; resume with --resume=auto or choose another run_dir",
          folder_.root.string()));
    }
    if (!found) return;
    check_same_run(*found);
    OuterState state{.theta = flatten(found->parameters, step_.layout())};
    for (const io::NamedTensor& item : step_.state().optimizer) {
      const auto place = std::ranges::find(found->optimizer, item.name, &io::NamedTensor::name);
      if (place == found->optimizer.end() || place->value.shape() != item.value.shape()) {
        throw BadInput(fmt::format("the checkpoint lacks the optimiser's '{}'", item.name));
      }
      state.optimizer.push_back(*place);
    }
    step_.set_state(state);
    progress_.visit(Reader{*found});
    resumed_from_ = window_began_at_ = progress_.iteration;
    say(fmt::format("resuming {} at iteration {}", folder_.root.string(), progress_.iteration));
  }

  void check_same_run(const checkpoint::Checkpoint& found) const {
    if (found.config_hash != config::config_hash(config_)) {
      throw BadInput(fmt::format(
          "{} holds a run of another config (hash {}, this one has {}); choose another run_dir or "
          "train with {}",
          folder_.root.string(), found.config_hash, config::config_hash(config_),
          folder_.config().string()));
    }
    if (found.dataset_fingerprint != setup_.data.fingerprint) {
      throw BadInput(
          fmt::format("the data set has changed since {} was started: fingerprint {} "
                      "then, {} now",
                      folder_.root.string(), found.dataset_fingerprint, setup_.data.fingerprint));
    }
  }

  // ---- Files ------------------------------------------------------------------------------

  void open_files() {
    fs::create_directories(folder_.events());
    write_file_atomically(folder_.config(), config::to_yaml(config_));
    write_file_atomically(
        folder_.manifest(),
        describe_run(config_, setup_.data.fingerprint,
                     std::string(exec::name_of(compile_options(config_).isa)), pool_.size()));
    io::truncate_jsonl(folder_.metrics(), progress_.iteration);
    metrics_.emplace(folder_.metrics());
    events_.emplace(folder_.events(), resumed_from_);
    fs::remove(folder_.stop_file());
    started_ = window_started_ = checked_ = Clock::now();
  }

  void save(bool is_best) {
    checkpoint::Checkpoint c{.iteration = progress_.iteration,
                             .config = config::to_yaml(config::without_incidentals(config_)),
                             .config_hash = config::config_hash(config_),
                             .dataset_fingerprint = setup_.data.fingerprint,
                             .parameters = unflatten(step_.state().theta, step_.layout())};
    for (const io::NamedTensor& item : step_.state().optimizer) {
      if (item.name == "ema") c.ema = unflatten(item.value, step_.layout());
      c.optimizer.push_back(item);
    }
    progress_.visit(Writer{c});
    c.integers["seed"] = config_.seed;
    if (setup_.data.images) store_preparation(setup_.data.images->preparation, c);
    saver_.save(c, is_best);
    saved_iteration_ = progress_.iteration;
  }

  void record(const Json& line, const char* kind) {
    metrics_->append(line.dump());
    for (const auto& [name, value] : line.items()) {
      if (value.is_number_float()) {
        events_->scalar(fmt::format("{}/{}", kind, name), progress_.iteration, value.get<double>());
      }
    }
  }

  // ---- The loop ---------------------------------------------------------------------------

  // The clock and the STOP file are looked at ten times a second.
  std::string reason_to_stop() {
    if (options_.stop_requested && options_.stop_requested()) return "a signal";
    const Clock::time_point now = Clock::now();
    if (now - checked_ < std::chrono::milliseconds(100)) return {};
    checked_ = now;
    if (options_.max_wall && now - started_ >= *options_.max_wall) return "--max-wall";
    if (fs::exists(folder_.stop_file())) return "the STOP file";
    return {};
  }

  bool out_of_patience() const {
    return config_.validation.patience > 0 &&
           progress_.without_improvement >= config_.validation.patience;
  }

  static bool due(int64_t iteration, int64_t every) { return every > 0 && iteration % every == 0; }

  void iterate() {
    const MetaStepResult result = step_.run(progress_.iteration);
    ++progress_.iteration;
    progress_.nonfinite += result.nonfinite;
    progress_.window_loss += result.loss;
    progress_.window_accuracy += result.accuracy;
    ++progress_.window_count;
    const bool last = progress_.iteration == config_.outer.iterations;
    if (last || due(progress_.iteration, config_.log.every_iterations)) log_window();
    bool is_best = false;
    if (due(progress_.iteration, config_.validation.every) ||
        (last && config_.validation.every > 0)) {
      is_best = validate();
    }
    if (is_best || last || due(progress_.iteration, config_.checkpoint.every)) save(is_best);
    if (progress_.nonfinite > config_.stop.max_nonfinite) give_up();
    if (options_.on_iteration) {
      Progress::Sample sample{.done = progress_.iteration, .loss = result.loss};
      if (classification()) sample.accuracy = result.accuracy;
      options_.on_iteration(sample);
    }
  }

  [[noreturn]] void give_up() {
    saver_.finish();
    throw SystemFailure(fmt::format(
        "{} tasks gave losses or gradients that are not finite, more than stop.max_nonfinite = {}; "
        "lower inner.rate or outer.rate, or set outer.clip_norm",
        progress_.nonfinite, config_.stop.max_nonfinite));
  }

  void log_window() {
    const auto count = static_cast<double>(progress_.window_count);
    const double seconds = seconds_since(window_started_);
    Json line{{"iteration", progress_.iteration},
              {"kind", "train"},
              {"loss", progress_.window_loss / count}};
    if (classification()) line["accuracy"] = progress_.window_accuracy / count;
    line["rate"] = optim::outer_scalars(config_.outer, progress_.iteration - 1).rate;
    line["nonfinite"] = progress_.nonfinite;
    line["tasks_per_s"] = static_cast<double>(progress_.iteration - window_began_at_) *
                          static_cast<double>(config_.outer.meta_batch) / std::max(seconds, 1e-9);
    line["wall_s"] = seconds_since(started_);
    record(line, "train");
    progress_.window_loss = progress_.window_accuracy = 0;
    progress_.window_count = 0;
    window_started_ = Clock::now();
    window_began_at_ = progress_.iteration;
  }

  Evaluator& evaluator() {
    if (!evaluator_) {
      evaluator_.emplace(setup_.learner, setup_.test_shape, setup_.evaluation, setup_.test_tasks,
                         pool_, compile_options(config_));
    }
    return *evaluator_;
  }

  EvaluationResult evaluate(const Tensor& theta, data::Split split, int64_t tasks) {
    evaluator().set_theta(theta);
    return evaluator().evaluate(static_cast<uint64_t>(config_.seed), split, tasks,
                                config_.test.diverged_loss);
  }

  // Accuracies are compared by mean, losses by median: a diverged task does not decide.
  double score(const EvaluationResult& result) const {
    return classification() ? result.accuracy.back().mean : -result.loss.back().median;
  }

  bool validate() {
    const Clock::time_point start = Clock::now();
    const EvaluationResult result =
        evaluate(test_theta(step_.state()), data::Split::validation, config_.validation.tasks);
    Json line{{"iteration", progress_.iteration}, {"kind", "validation"}};
    line["loss"] = result.loss.back().mean;
    line["loss_ci95"] = result.loss.back().ci95;
    line["loss_median"] = result.loss.back().median;
    if (classification()) {
      line["accuracy"] = result.accuracy.back().mean;
      line["accuracy_ci95"] = result.accuracy.back().ci95;
    }
    line["tasks"] = result.tasks;
    line["diverged"] = result.diverged.back();
    line["wall_s"] = seconds_since(started_);
    record(line, "validation");
    window_started_ += Clock::now() - start;
    const double value = score(result);
    if (progress_.best_iteration >= 0 && !(value > progress_.best)) {
      ++progress_.without_improvement;
      return false;
    }
    progress_.best = value;
    progress_.best_iteration = progress_.iteration;
    progress_.without_improvement = 0;
    return true;
  }

  // ---- The end ----------------------------------------------------------------------------

  void finish() {
    if (saved_iteration_ != progress_.iteration && progress_.iteration != resumed_from_) {
      save(false);
    }
    saver_.finish();
    const double trained_s = seconds_since(started_);
    fs::path file = store_.file_of(progress_.iteration);
    Json summary{{"config_hash", config::config_hash(config_)},
                 {"algorithm", config_.learner.algorithm},
                 {"iterations", progress_.iteration},
                 {"early_stopped", progress_.iteration < config_.outer.iterations},
                 {"nonfinite", progress_.nonfinite},
                 {"wall_s", trained_s},
                 {"tasks_per_s", tasks_per_second(trained_s)},
                 {"final_checkpoint", file.string()},
                 {"final_content_hash", checkpoint::content_hash(file)}};
    Tensor theta = test_theta(step_.state());
    if (config_.checkpoint.best && store_.best()) {
      file = fs::canonical(*store_.best());
      const checkpoint::Checkpoint best = checkpoint::read_checkpoint(file);
      theta = answering_theta(best, step_.layout());
    }
    summary["checkpoint"] = file.string();
    summary["content_hash"] = checkpoint::content_hash(file);
    if (progress_.best_iteration >= 0) summary["best_iteration"] = progress_.best_iteration;
    if (config_.test.tasks > 0) {
      const EvaluationResult test = evaluate(theta, data::Split::test, config_.test.tasks);
      summary["test"] = to_json(test);
      write_file_atomically(folder_.test_tasks(), per_task_csv(test));
    }
    write_file_atomically(folder_.summary(), summary.dump(2) + "\n");
  }

  double tasks_per_second(double seconds) const {
    const int64_t start = std::max<int64_t>(resumed_from_, 0);
    return static_cast<double>((progress_.iteration - start) * config_.outer.meta_batch) /
           std::max(seconds, 1e-9);
  }

  config::Config config_;
  TrainOptions options_;
  RunFolder folder_;
  Setup setup_;
  ThreadPool pool_;
  MetaStep step_;
  checkpoint::Store store_;
  checkpoint::BackgroundSaver saver_;
  std::optional<Evaluator> evaluator_;
  std::optional<io::JsonlWriter> metrics_;
  std::optional<io::EventWriter> events_;
  Progressed progress_;
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
