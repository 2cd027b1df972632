#include "train/training.h"

#include <fmt/format.h>

#include <algorithm>

#include "outerloop/base/program_files.h"
#include "outerloop/comm/agreement.h"
#include "outerloop/config/print.h"
#include "outerloop/train/build_info.h"
#include "train/device_choice.h"
#include "train/outer_state.h"
#include "train/preparation.h"
#include "train/resume.h"

namespace outerloop::train {

Training::Training(const config::Resolved& resolved, const TrainOptions& train_options)
    : config(resolved.config),
      hash(config::config_hash(config)),
      options(train_options),
      ranks(options.ranks != nullptr ? *options.ranks : alone_.rank(0)),
      stored_config_(config::to_yaml(config::without_incidentals(config))) {
  comm::fail_together(ranks, "data and tasks",
                      [&] { setup.emplace(make_training_setup(resolved)); });
  require_one_run();
  std::vector<std::string> notes;
  device = options.device != nullptr ? options.device : choose_device(config, &ranks, &notes);
  pool.emplace(static_cast<int>(config.runtime.threads),
               device ? Pinning::none : Pinning::full_team);
  if (device && ranks.size() > 1) between_devices.emplace(ranks, device, options.nccl);
  comm::fail_together(ranks, "run folder", [&] {
    if (!leads()) return;
    check_file_to_begin_from(*this);
    files.emplace(config, options,
                  [this](const std::string& text) { say(LogLevel::warning, text); });
  });
  comm::fail_together(ranks, "programs and memory", [&] {
    log_file = file_sink(RunFolder{config.run_dir}.log(ranks.rank()));
    step.emplace(config, setup->learner, setup->train_shape, setup->train_tasks, *pool,
                 compile_options(config), &ranks, device,
                 between_devices ? &between_devices->ranks() : nullptr);
    step->set_gradient_hook(options.gradient_hook);
    if (config.log.hashes) hashes.emplace(ranks, hash_names(config, step->layout()));
  });
  for (const std::string& note : notes) say(LogLevel::warning, note);
  if (between_devices && !between_devices->note().empty()) {
    say(LogLevel::warning, between_devices->note());
  }
  if (device && device->multiplies() && step->library_products() == 0) {
    say(LogLevel::info,
        "runtime.numerics=fast does nothing here: no product of matrices is a kernel of its own");
  }
  state = starting_state(setup->learner);
}

// Ranks of different programs, configs or data would give neither's results.
void Training::require_one_run() {
  if (ranks.size() == 1) return;
  comm::require_equal(ranks, "program", "the program",
                      checkpoint::content_hash(program_files().code),
                      "start the same outerloop on every host");
  comm::require_equal(ranks, "config", "the config", hash,
                      "give every rank the same config file and overrides");
  comm::require_equal(ranks, "data set", "the data set", setup->data.fingerprint,
                      "copy one file to every host");
}

void Training::say(LogLevel level, const std::string& message) {
  if (log_file) log_file(level, message);
  if (options.log == nullptr || !leads()) return;
  level == LogLevel::warning ? options.log->warning("{}", message)
                             : options.log->info("{}", message);
}

void Training::open_files() {
  comm::fail_together(ranks, "files", [&] {
    if (!leads()) return;
    if (resumed_from >= 0) {
      say(LogLevel::info, fmt::format("resuming {} at iteration {} on {}", files->source().string(),
                                      state.iteration, name_of(device.get())));
    }
    files->open(config,
                describe_run(config, setup->data,
                             {.device = name_of(device.get()),
                              .threads = pool->size(),
                              .hosts = ranks.hosts(),
                              .sums_by = sums_by(ranks, between_devices)}),
                hash_names(config, step->layout()), state.iteration, state.best_iteration);
  });
  say_idle_threads();
  say_rows_left_out();
  run_ = Stopwatch();
}

// A task is one thread's, so a small meta-batch leaves others without one.
void Training::say_idle_threads() {
  const int threads = ranks.size() * pool->size();
  if (device || config.outer.meta_batch >= threads) return;
  say(LogLevel::info,
      fmt::format("outer.meta_batch = {}: so many of {} threads train; validations and the test "
                  "use all",
                  config.outer.meta_batch, threads));
}

void Training::say_rows_left_out() {
  const data::TableSet* const table = setup->data.table.get();
  if (table == nullptr || table->rows_left_out == 0) return;
  say(LogLevel::info, fmt::format("{}: rows left out, as column {} holds nothing there: {}",
                                  table->name, table->preparation.target, table->rows_left_out));
}

Effort Training::effort() const {
  const Effort earlier = files ? files->earlier() : Effort{};
  return {.iterations = earlier.iterations + state.iteration - std::max<int64_t>(resumed_from, 0),
          .wall_s = earlier.wall_s + run_.seconds()};
}

void Training::save(bool is_best) {
  saved_iteration = state.iteration;
  if (hashes) flush_hashes();
  if (!files) return;
  checkpoint::Checkpoint c{.iteration = state.iteration,
                           .config = stored_config_,
                           .config_hash = hash,
                           .dataset_fingerprint = setup->data.fingerprint};
  store_outer_state(step->state(), step->layout(), c);
  store_state(state, c);
  c.integers["seed"] = config.seed;
  store_preparation(setup->data, c);
  files->save(c, is_best, effort());
}

std::string Training::reason_to_stop() {
  std::string why = own_reason_to_stop();
  if (ranks.size() == 1) return why;
  int64_t any = why.empty() ? 0 : 1;
  ranks.all_reduce("stop requests", std::span(&any, 1), comm::Reduction::max);
  return any == 0 ? std::string() : first_reason(why);
}

// Of the lowest rank that has one.
std::string Training::first_reason(const std::string& own) {
  for (std::string& why : comm::all_gather_strings(ranks, "reasons to stop", own)) {
    if (!why.empty()) return std::move(why);
  }
  return {};
}

// The clock, the STOP file and the writer of checkpoints are looked at ten times a second.
std::string Training::own_reason_to_stop() {
  if (options.stop_requested) {
    if (std::string why = options.stop_requested(); !why.empty()) return why;
  }
  if (checked_ && checked_->seconds() < 0.1) return {};
  checked_.emplace();
  if (files) files->check_saving();
  if (options.max_wall && born_.seconds() >= static_cast<double>(options.max_wall->count())) {
    return kMaxWall;
  }
  return files && files->stop_asked() ? "the STOP file" : "";
}

Evaluator& Training::evaluator() {
  if (!evaluator_) {
    comm::fail_together(ranks, "evaluation", [&] { make_evaluator(); });
  }
  return *evaluator_;
}

// Where no kernels can be made, those of another test than that of a shipped config are not there.
void Training::make_evaluator() {
  const auto make = [this](const std::shared_ptr<exec::Device>& on) {
    evaluator_.emplace(setup->learner, setup->test_shape, setup->test_steps, setup->test_tasks,
                       *pool, compile_options(config), &ranks, on, step->device_data());
  };
  if (!device || device->compiler().takes_any) return make(device);
  try {
    make(device);
  } catch (const BadInput& missing) {
    say(LogLevel::warning,
        fmt::format("validation and test are computed by the processor: {}", missing.what()));
    make(nullptr);
  }
}

Evaluated Training::evaluate(const Tensor& theta, data::Split split, int64_t tasks) {
  std::string why;
  const auto cancelled = [&] { return !(why = own_reason_to_stop()).empty(); };
  evaluator().set_theta(theta);
  Evaluated evaluated{evaluator().evaluate_unless(cancelled, static_cast<uint64_t>(config.seed),
                                                  split, tasks, config.test.diverged_loss),
                      {}};
  if (!evaluated.result) evaluated.why_ended = first_reason(why);
  return evaluated;
}

}  // namespace outerloop::train
