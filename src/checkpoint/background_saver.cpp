#include <utility>

#include "outerloop/base/stopwatch.h"
#include "outerloop/checkpoint/store.h"

namespace outerloop::checkpoint {

BackgroundSaver::BackgroundSaver(Store& store, int64_t interval)
    : store_(store), interval_(interval), writer_([this] { work(); }) {}

BackgroundSaver::~BackgroundSaver() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  writer_.join();
}

bool BackgroundSaver::has_room_for(int64_t iteration) const {
  if (unwritten_.empty()) return true;
  const int64_t oldest = unwritten_.front().checkpoint.iteration;
  return unwritten_.size() < kMostUnwritten && (interval_ == 0 || iteration < oldest + interval_);
}

double BackgroundSaver::save(const Checkpoint& checkpoint, bool is_best,
                             std::function<void()> before, std::function<void()> after) {
  const Stopwatch waiting;
  double waited = 0;
  {
    std::unique_lock lock(mutex_);
    if (!has_room_for(checkpoint.iteration)) {
      changed_.wait(lock, [&] { return has_room_for(checkpoint.iteration); });
      waited = waiting.seconds();
    }
    rethrow();
  }
  Job job{deep_copy(checkpoint), is_best, std::move(before), std::move(after)};
  {
    const std::lock_guard lock(mutex_);
    unwritten_.push_back(std::move(job));
  }
  changed_.notify_all();
  return waited;
}

void BackgroundSaver::check() {
  const std::lock_guard lock(mutex_);
  rethrow();
}

void BackgroundSaver::finish() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return unwritten_.empty(); });
  rethrow();
}

void BackgroundSaver::rethrow() {
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

// The writer's thread. It ends when nothing is left to write.
void BackgroundSaver::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return ending_ || !unwritten_.empty(); });
    if (unwritten_.empty()) return;
    const Job& job = unwritten_.front();  // stays in place while others come behind it
    lock.unlock();
    std::exception_ptr error;
    try {
      if (job.before) job.before();
      store_.save(job.checkpoint, job.is_best);
      if (job.after) job.after();
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    if (error) {
      error_ = error;
      unwritten_.clear();
    } else {
      unwritten_.pop_front();
    }
    changed_.notify_all();
  }
}

}  // namespace outerloop::checkpoint
