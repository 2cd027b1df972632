#pragma once
// One rank's part in a training: what its start, its iterations and its end share.

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "outerloop/base/stopwatch.h"
#include "outerloop/comm/local.h"
#include "outerloop/train/meta_step.h"
#include "outerloop/train/session.h"
#include "outerloop/train/setup.h"
#include "train/device_connection.h"
#include "train/hash_log.h"
#include "train/run_files.h"
#include "train/training_state.h"

namespace outerloop::train {

inline constexpr const char* kMaxWall = "--max-wall";  // as a reason to stop

// What was evaluated, or why it was ended before.
struct Evaluated {
  std::optional<EvaluationResult> result;
  std::string why_ended;
};

// All ranks go through the same iterations with the same numbers; the first one leads: it alone
// reads and writes the run folder.
class Training {
 public:
  // Collective: all ranks become ready, or none.
  Training(const config::Resolved& resolved, const TrainOptions& options);
  Training(const Training&) = delete;
  Training& operator=(const Training&) = delete;

  bool leads() const { return ranks.rank() == 0; }
  bool is_over() const { return state.iteration == config.outer.iterations || out_of_patience(); }
  bool out_of_patience() const {
    return config.validation.patience > 0 &&
           state.without_improvement >= config.validation.patience;
  }

  // Whether this iteration is one of every so many; 0: none is.
  bool is_due(int64_t every) const { return every > 0 && state.iteration % every == 0; }

  // The same on every rank; the leader says it to the user.
  void say(LogLevel level, const std::string& message);
  // Collective. For the iterations from here on; the time counts from now.
  void open_files();
  void record(const nlohmann::ordered_json& line) {
    if (files) files->record(line);
  }
  // Spent in this folder so far, earlier processes included. The leader's.
  Effort effort() const;

  // Collective, when all has gone well.
  void finish() {
    if (between_devices) between_devices->ranks().finish();
  }

  // Collective and the same on all ranks, so that all stop after the same iteration. Empty: none.
  std::string reason_to_stop();
  // Collective. Ends early when the run is to stop.
  Evaluated evaluate(const Tensor& theta, data::Split split, int64_t tasks);

  bool is_saved() const { return saved_iteration == state.iteration; }
  // Collective where the run keeps hashes.
  void save(bool is_best);
  void flush_hashes() { hashes->flush(files ? files->hashes() : nullptr); }

 private:
  Stopwatch born_;
  comm::LocalGroup alone_{1};

 public:
  const config::Config config;
  const std::string hash;
  const TrainOptions options;
  comm::Communicator& ranks;
  LogSink log_file;
  std::optional<Setup> setup;
  std::optional<RunFiles> files;  // the leader's
  std::optional<ThreadPool> pool;
  std::shared_ptr<exec::Device> device;             // of this rank; null: its threads
  std::optional<DeviceConnection> between_devices;  // of several ranks
  std::optional<MetaStep> step;
  std::optional<HashLog> hashes;
  TrainingState state;
  int64_t resumed_from = -1;
  int64_t saved_iteration = -1;

 private:
  void require_one_run();
  Evaluator& evaluator();
  void make_evaluator();
  std::string own_reason_to_stop();
  void say_idle_threads();
  void say_rows_left_out();
  std::string first_reason(const std::string& own);

  std::string stored_config_;
  std::optional<Evaluator> evaluator_;
  Stopwatch run_;
  std::optional<Stopwatch> checked_;  // for reasons to stop
};

}  // namespace outerloop::train
