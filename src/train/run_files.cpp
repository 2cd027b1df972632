#include "train/run_files.h"

#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <fstream>
#include <utility>

#include "outerloop/base/atomic_file.h"
#include "outerloop/base/counted.h"
#include "outerloop/base/error.h"
#include "outerloop/config/print.h"

namespace outerloop::train {
namespace {

namespace fs = std::filesystem;

constexpr double kWarnWaited_s = 1;

void remove_file(const fs::path& file) {
  std::error_code error;
  fs::remove(file, error);
  if (error) {
    throw SystemFailure(fmt::format("{}: cannot remove: {}", file.string(), error.message()));
  }
}

bool is_running(pid_t process) {
  return ::kill(process, 0) == 0 || errno == EPERM;
}

// What killed processes of this host were writing, and those of others, which only a report that is
// made there at this moment may miss. The run's checkpoints have their own in ckpt/.
void remove_temporaries(const RunFolder& folder) {
  std::error_code ignored;
  std::vector<fs::path> stale;
  for (const auto& entry : fs::directory_iterator(folder.root, ignored)) {
    const auto temporary = temporary_named(entry.path().filename().string());
    if (!temporary || is_running(temporary->process)) continue;
    if (folder.owns(folder.root / temporary->target)) stale.push_back(entry.path());
  }
  for (const fs::path& file : stale) fs::remove(file, ignored);
}

}  // namespace

RunFiles::RunFiles(const config::Config& config, const TrainOptions& options, Warn warn)
    : folder_{config.run_dir},
      resume_(options.resume),
      resume_from_(options.resume_from),
      keeps_best_(config.checkpoint.best),
      warn_(std::move(warn)),
      claim_(folder_),
      store_(folder_.checkpoints(), {.keep_last = static_cast<int>(config.checkpoint.keep_last),
                                     .keep_every = config.checkpoint.keep_every,
                                     .keep_best = config.checkpoint.best}),
      saver_(store_, config.checkpoint.every) {
  remove_temporaries(folder_);
}

bool RunFiles::has_begun_from(const std::string& hash) const {
  std::ifstream file(folder_.begun_from());
  std::string begun_from;
  std::getline(file, begun_from);
  return begun_from == hash && !store_.list().empty();
}

std::optional<checkpoint::Checkpoint> RunFiles::start_point(const Check& check) {
  std::optional<checkpoint::Checkpoint> found;
  if (resume_from_) {
    start_hash_ = checkpoint::content_hash(*resume_from_);
    store_.keep(*resume_from_);  // who starts the run again names it again
    if (has_begun_from(start_hash_)) {
      warn_(
          fmt::format("this run was interrupted after it began from {}, so it goes on from its own "
                      "checkpoints; "
                      "to begin there again, remove {}",
                      resume_from_->string(), folder_.begun_from().string()));
      resume_from_.reset();
    }
  }
  if (resume_from_) {
    // The folder may hold an earlier part of this run, but no other one.
    if (const auto newest = store_.load_newest(warn_)) check(*newest, folder_.root);
    found = checkpoint::read_checkpoint(*resume_from_);
  } else if (resume_ == Resume::automatic) {
    found = store_.load_newest(warn_);
  } else if (!store_.list().empty()) {
    throw BadInput(
        fmt::format("{} already holds checkpoints; resume with --resume=auto or choose another "
                    "run_dir",
                    folder_.root.string()));
  }
  if (found) check(*found, source());
  return found;
}

fs::path RunFiles::source() const {
  return resume_from_.value_or(folder_.root);
}

void RunFiles::open(const config::Config& config, const std::string& manifest,
                    const HashNames& hashed, int64_t iteration, int64_t best_iteration) {
  if (begins_from_file()) give_up_later_than(iteration);
  write_file_atomically(folder_.config(), config::to_yaml(config));
  write_file_atomically(folder_.manifest(), manifest);
  metrics_.emplace(folder_, iteration);
  time_.emplace(folder_, iteration);
  if (config.log.hashes) {
    hashes_.emplace(folder_.hashes(), hashed, iteration);
  } else {
    remove_file(folder_.hashes());
  }
  restore_best(best_iteration);
  // The run goes on: the result that it had is no longer its result.
  remove_file(folder_.summary());
}

// Before their lines leave the logs.
void RunFiles::give_up_later_than(int64_t iteration) const {
  const int64_t aside = store_.set_aside_later_than(iteration);
  if (aside == 0) return;
  warn_(fmt::format(
      "{} goes back to iteration {}: {} renamed to {}/ckpt-*.h5.superseded, which may be deleted, "
      "and later lines of metrics.jsonl removed",
      folder_.root.string(), iteration, counted(aside, "later checkpoint"),
      store_.folder().string()));
}

// A kill may come between a checkpoint and its link `best`, a damaged checkpoint may have taken
// the link with it, and a run that starts from another folder's checkpoint has none yet.
void RunFiles::restore_best(int64_t best_iteration) {
  if (!keeps_best_ || best_iteration < 0) return;
  const fs::path file = store_.file_of(best_iteration);
  if (fs::exists(file)) return store_.mark_best(best_iteration);
  if (best_elsewhere_) {
    store_.save(*best_elsewhere_, true);
    best_elsewhere_.reset();
  } else if (!begins_from_file()) {
    warn_of_lost_best(best_iteration, file.string() + " is not there");
  }
}

void RunFiles::read_best(int64_t best_iteration, const Check& check) {
  if (!keeps_best_ || best_iteration < 0 || !begins_from_file()) return;
  const fs::path file = store_.file_of(best_iteration);
  if (fs::exists(file)) return;
  const fs::path elsewhere = resume_from_->parent_path() / file.filename();
  if (!fs::exists(elsewhere)) {
    return warn_of_lost_best(best_iteration, elsewhere.string() + " is not there");
  }
  try {
    checkpoint::Checkpoint found = checkpoint::read_checkpoint(elsewhere);
    check(found, elsewhere);
    if (found.iteration != best_iteration) {
      throw BadInput(fmt::format("{} is of iteration {}", elsewhere.string(), found.iteration));
    }
    best_elsewhere_ = std::move(found);
  } catch (const BadInput& error) {
    warn_of_lost_best(best_iteration, error.what());
  } catch (const CorruptFile& error) {
    warn_of_lost_best(best_iteration, error.what());
  }
}

void RunFiles::warn_of_lost_best(int64_t best_iteration, std::string_view why) const {
  warn_(
      fmt::format("the best checkpoint so far, of iteration {}, is lost: {}", best_iteration, why));
}

void RunFiles::save(const checkpoint::Checkpoint& checkpoint, bool is_best, const Effort& effort) {
  time_->record(checkpoint.iteration, effort);
  // A checkpoint must not know more than the logs.
  std::vector<fs::path> logs{folder_.metrics(), folder_.time()};
  if (hashes_) logs.push_back(folder_.hashes());
  const double before = waited_s_;
  const auto sync_logs = [logs = std::move(logs)] {
    for (const fs::path& log : logs) sync_file(log);
  };
  std::function<void()> mark;
  if (!std::exchange(has_saved_, true) && !start_hash_.empty()) {
    mark = [file = folder_.begun_from(), hash = start_hash_] {
      write_file_atomically(file, hash + "\n");
    };
  }
  waited_s_ += saver_.save(checkpoint, is_best, sync_logs, std::move(mark));
  if (before < kWarnWaited_s && waited_s_ >= kWarnWaited_s) {
    warn_(fmt::format(
        "the disk takes longer for a checkpoint than the training from one to the next: "
        "training has waited {:.1f} s for it by iteration {}; make checkpoints rarer "
        "(checkpoint.every, validation.every)",
        waited_s_, checkpoint.iteration));
  }
}

void RunFiles::finish_saving() {
  saver_.finish();
}

void RunFiles::keep_best() {
  saver_.finish();
  if (const auto file = best()) store_.keep(*file);
}

std::optional<fs::path> RunFiles::best() const {
  return keeps_best_ ? store_.best() : std::nullopt;
}

bool RunFiles::stop_asked() const {
  std::error_code ignored;
  return fs::exists(folder_.stop_file(), ignored);
}

void RunFiles::remove_stop_file() const {
  remove_file(folder_.stop_file());
}

void RunFiles::forget_beginning() const {
  remove_file(folder_.begun_from());
}

}  // namespace outerloop::train
