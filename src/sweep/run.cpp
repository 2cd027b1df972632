#include "outerloop/sweep/run.h"

#include <fmt/format.h>
#include <signal.h>
#include <string.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <nlohmann/json.hpp>
#include <system_error>
#include <thread>

#include "outerloop/base/atomic_file.h"
#include "outerloop/base/cpu_quota.h"
#include "outerloop/base/error.h"
#include "outerloop/base/file_lock.h"
#include "outerloop/base/stopwatch.h"
#include "outerloop/base/thread_pool.h"
#include "outerloop/config/read.h"
#include "outerloop/io/json_text.h"
#include "outerloop/sweep/state.h"
#include "sweep/training.h"

namespace outerloop::sweep {
namespace {

namespace fs = std::filesystem;

constexpr int kStoppedCode = 75;
constexpr int kMostResumes = 20;  // of one point by one worker
constexpr std::chrono::milliseconds kPollEvery{5};
// A training takes as long as it takes; who else would begin it finds it locked.
constexpr std::chrono::hours kNoEnd{24 * 365 * 10};

bool was_asked_to_stop(const Ended& ended) {
  return ended.code == kStoppedCode || ended.signal == SIGTERM || ended.signal == SIGINT ||
         ended.signal == SIGUSR1;
}

// What became of a point, as the value of its cell.
enum class Fate { done, failed, elsewhere };

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error) return;
  throw SystemFailure(fmt::format(
      "{}: cannot be created: {}; make the sweep's folder writable, or plan into another one",
      folder.string(), error.message()));
}

std::vector<std::string> gpus_for(int workers) {
  if (workers == 1) return {};
  return shared_gpus(std::getenv(kVisibleGpus));
}

// Every point is a cell, which waits for the training. Results are the run folders: the farm only
// deals the points out, and locks keep other processes off those that are being trained.
class Trainings final : public farm::Job {
 public:
  Trainings(const SweepFolder& folder, const Plan& plan, const RunOptions& options)
      : folder_(folder),
        plan_(plan),
        options_(options),
        gpus_(gpus_for(options.workers)),
        threads_(threads_of_each()) {
    for (const Point& point : plan.points) cells_.push_back({.key = point.hash});
    make_folder(folder.points());
    make_folder(folder.state());
  }

  const farm::Manifest& manifest() const override { return manifest_; }
  const std::vector<farm::Cell>& cells() const override { return cells_; }
  const std::vector<std::string>& columns() const override { return columns_; }

  void run(size_t cell, int worker, std::span<double> values) override {
    values[0] = static_cast<double>(fate_of(plan_.points[cell], worker));
  }

 private:
  // The cores that fit (a container may have a quota) are shared; nothing where the config says how
  // many threads.
  std::optional<size_t> threads_of_each() const {
    const auto base = config::read_config_text(plan_.base, folder_.base().string());
    if (base.config.runtime.threads != 0) return std::nullopt;
    return static_cast<size_t>(std::max(1, fitting_threads() / options_.workers));
  }

  // Workers take the GPUs in turn.
  std::string gpu_of(int worker) const {
    return gpus_.empty() ? std::string() : gpus_[static_cast<size_t>(worker) % gpus_.size()];
  }

  Fate fate_of(const Point& point, int worker) {
    const auto lock = FileLock::take(folder_.lease(point));
    if (!lock) return Fate::elsewhere;
    if (fs::exists(folder_.failure(point))) return Fate::failed;
    if (!why_not_done(folder_, point)) return Fate::done;
    try {
      if (const auto damage = discard_result(folder_, point)) {
        options_.farm.log->warning("point {} ({}) begins anew: {}", point.number, words_of(point),
                                   *damage);
      }
    } catch (const SystemFailure& error) {
      return fail(point, {.code = 1}, error.what());
    }
    if (stop_requested()) throw farm::Stopped();
    for (int start = 0; start <= kMostResumes; ++start) {
      const Ended ended = end_of_training(point, *lock, worker);
      if (!was_asked_to_stop(ended)) return conclude(point, ended);
      if (stop_requested()) throw farm::Stopped();
    }
    return fail(point, {.code = kStoppedCode},
                fmt::format("stopped {} times before its end", kMostResumes));
  }

  Ended end_of_training(const Point& point, const FileLock& lock, int worker) {
    Training training(folder_, point, lock.descriptor(), options_.program, words(point),
                      {.cores = cores_, .gpu = gpu_of(worker)});
    bool asked = false;
    while (true) {
      if (const auto ended = training.poll()) return *ended;
      if (!asked && stop_requested()) {
        training.ask_to_stop();
        asked = true;
      }
      std::this_thread::sleep_for(kPollEvery);
    }
  }

  bool stop_requested() const {
    return options_.farm.stop_requested && !options_.farm.stop_requested().empty();
  }

  std::vector<std::string> words(const Point& point) const {
    std::vector<std::string> result{"--color", "never", "train", "--quiet",
                                    folder_.base().string()};
    for (const auto& [key, value] : point.overrides) result.push_back(key + "=" + value);
    result.push_back("run_dir=" + folder_.run(point).root.string());
    if (threads_) result.push_back(fmt::format("runtime.threads={}", *threads_));
    return result;
  }

  Fate conclude(const Point& point, const Ended& ended) {
    if (ended.code != 0) return fail(point, ended, error_of(point, ended));
    if (const auto why = why_not_done(folder_, point)) return fail(point, ended, *why);
    options_.farm.log->info("done: point {} ({})", point.number, words_of(point));
    return Fate::done;
  }

  std::string error_of(const Point& point, const Ended& ended) const {
    std::string said;
    if (fs::exists(folder_.errors(point))) said = first_error(read_file(folder_.errors(point)));
    if (!said.empty() && ended.signal == 0) return said;
    const std::string end = ended.signal != 0
                                ? fmt::format("ended by SIG{}", sigabbrev_np(ended.signal))
                                : fmt::format("ended with code {}", ended.code);
    return said.empty() ? end : end + ": " + said;
  }

  Fate fail(const Point& point, const Ended& ended, const std::string& error) {
    const nlohmann::ordered_json record{
        {"code", ended.code}, {"signal", ended.signal}, {"error", error}};
    write_file_atomically(folder_.failure(point), io::json_text(record, 2) + "\n");
    options_.farm.log->warning("point {} ({}) failed: {}", point.number, words_of(point), error);
    return Fate::failed;
  }

  const SweepFolder& folder_;
  const Plan& plan_;
  const RunOptions& options_;
  const std::vector<int> cores_ = allowed_cores();
  std::vector<std::string> gpus_;
  std::optional<size_t> threads_;
  farm::Manifest manifest_{"sweep", ""};
  std::vector<farm::Cell> cells_;
  std::vector<std::string> columns_{"fate"};
};

// Trainings are asked to stop when the time is up: dealing no more of them would wait for their
// ends.
std::function<std::string()> stop_by_time_too(const farm::RunOptions& options) {
  return [asked = options.stop_requested, wall = options.max_wall, since = Stopwatch()] {
    std::string why = asked ? asked() : "";
    const bool is_over = wall && since.seconds() >= static_cast<double>(wall->count());
    return why.empty() && is_over ? "--max-wall" : why;
  };
}

}  // namespace

RunOutcome run(const SweepFolder& folder, const Plan& plan, const RunOptions& options) {
  RunOptions timed = options;
  timed.farm.stop_requested = stop_by_time_too(options.farm);
  Trainings trainings(folder, plan, timed);
  ThreadPool pool(options.workers);
  farm::RunOptions dealing = timed.farm;
  dealing.lease = kNoEnd;
  dealing.max_wall.reset();
  const farm::Outcome ended = farm::run(trainings, pool, dealing);
  RunOutcome outcome{.stopped = ended.stopped};
  for (size_t cell = 0; cell < plan.points.size(); ++cell) {
    if (!ended.results.has(cell)) continue;
    const auto fate = static_cast<Fate>(ended.results.values(cell)[0]);
    outcome.done += fate == Fate::done;
    outcome.failed += fate == Fate::failed;
    outcome.elsewhere += fate == Fate::elsewhere;
  }
  return outcome;
}

}  // namespace outerloop::sweep
