#include "outerloop/sweep/run.h"

#include <fmt/format.h>
#include <signal.h>
#include <string.h>

#include <chrono>
#include <deque>
#include <list>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"
#include "outerloop/base/thread_pool.h"
#include "outerloop/config/read.h"
#include "outerloop/sweep/state.h"
#include "sweep/training.h"

namespace outerloop::sweep {
namespace {

namespace fs = std::filesystem;

constexpr int kStoppedCode = 75;
constexpr int kMostResumes = 20;  // of one point by one worker
constexpr std::chrono::milliseconds kPollEvery{5};

bool was_asked_to_stop(const Ended& ended) {
  return ended.code == kStoppedCode || ended.signal == SIGTERM || ended.signal == SIGINT ||
         ended.signal == SIGUSR1;
}

class Worker {
 public:
  Worker(const SweepFolder& folder, const Plan& plan, const RunOptions& options)
      : folder_(folder), options_(options), threads_(threads_of_each(plan)) {
    for (const Point& point : plan.points) {
      if (options.shard.has(point)) waiting_.push_back(&point);
    }
    total_ = waiting_.size();
    fs::create_directories(folder.points());
    fs::create_directories(folder.state());
  }

  RunOutcome run() {
    while (true) {
      while (!outcome_.stopped && has_room() && !waiting_.empty()) {
        options_.stop_requested() ? stop() : start_next();
      }
      if (active_.empty()) return outcome_;
      if (!outcome_.stopped && options_.stop_requested()) stop();
      std::this_thread::sleep_for(kPollEvery);
      collect();
    }
  }

 private:
  // The allowed cores are shared; nothing where the config says how many threads.
  std::optional<size_t> threads_of_each(const Plan& plan) const {
    const auto base = config::read_config_text(plan.base, folder_.base().string());
    if (base.config.runtime.threads != 0) return std::nullopt;
    return std::max<size_t>(1, allowed_cores().size() / static_cast<size_t>(options_.workers));
  }

  bool has_room() const { return active_.size() < static_cast<size_t>(options_.workers); }

  void start_next() {
    const Point& point = *waiting_.front();
    waiting_.pop_front();
    auto lease = Lease::take(folder_, point);
    if (!lease) {
      ++outcome_.elsewhere;
    } else if (fs::exists(folder_.failure(point))) {
      ++outcome_.failed;
    } else if (!why_not_done(folder_, point)) {
      ++outcome_.done;
    } else {
      // A result that does not verify would pass for one.
      std::error_code ignored;
      fs::remove(folder_.run(point).summary(), ignored);
      active_.emplace_back(folder_, point, std::move(*lease), options_.program, words(point));
    }
  }

  std::vector<std::string> words(const Point& point) const {
    std::vector<std::string> result{"--color", "never", "train", "--quiet",
                                    folder_.base().string()};
    for (const auto& [key, value] : point.overrides) result.push_back(key + "=" + value);
    result.push_back("run_dir=" + folder_.run(point).root.string());
    if (threads_) result.push_back(fmt::format("runtime.threads={}", *threads_));
    return result;
  }

  void stop() {
    outcome_.stopped = true;
    if (!active_.empty()) options_.log->info("stopping {} trainings", active_.size());
    for (const Training& training : active_) training.ask_to_stop();
  }

  void collect() {
    for (auto training = active_.begin(); training != active_.end();) {
      const auto ended = training->poll();
      if (ended) finish(training->point(), *ended);
      training = ended ? active_.erase(training) : std::next(training);
    }
  }

  void finish(const Point& point, const Ended& ended) {
    if (was_asked_to_stop(ended)) {
      if (outcome_.stopped) return;
      if (++resumes_[&point] <= kMostResumes) return waiting_.push_back(&point);
      return fail(point, ended, fmt::format("stopped {} times before its end", kMostResumes));
    }
    if (ended.code != 0) return fail(point, ended, error_of(point, ended));
    if (const auto why = why_not_done(folder_, point)) return fail(point, ended, *why);
    ++outcome_.done;
    options_.log->info("{} of {} done: point {} ({})", outcome_.done, total_, point.number,
                       words_of(point));
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

  void fail(const Point& point, const Ended& ended, const std::string& error) {
    const nlohmann::ordered_json record{
        {"code", ended.code}, {"signal", ended.signal}, {"error", error}};
    const auto replace = nlohmann::ordered_json::error_handler_t::replace;
    write_file_atomically(folder_.failure(point), record.dump(2, ' ', false, replace) + "\n");
    ++outcome_.failed;
    options_.log->warning("point {} ({}) failed: {}", point.number, words_of(point), error);
  }

  const SweepFolder& folder_;
  const RunOptions& options_;
  std::optional<size_t> threads_;
  std::deque<const Point*> waiting_;
  std::list<Training> active_;
  std::map<const Point*, int> resumes_;
  size_t total_ = 0;
  RunOutcome outcome_;
};

}  // namespace

RunOutcome run(const SweepFolder& folder, const Plan& plan, const RunOptions& options) {
  return Worker(folder, plan, options).run();
}

}  // namespace outerloop::sweep
