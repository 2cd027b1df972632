#include <utility>

#include "outerloop/checkpoint/store.h"

namespace outerloop::checkpoint {

BackgroundSaver::BackgroundSaver(Store& store) : store_(store), writer_([this] { work(); }) {}

BackgroundSaver::~BackgroundSaver() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  writer_.join();
}

void BackgroundSaver::drop_superseded() {
  auto newer = static_cast<int>(waiting_.size());
  std::erase_if(waiting_, [&](const Job& job) {
    --newer;
    const Retention& retention = store_.retention();
    return newer >= retention.keep_last && !job.is_best &&
           !retention.keeps_for_good(job.checkpoint.iteration);
  });
}

void BackgroundSaver::save(const Checkpoint& checkpoint, bool is_best,
                           std::function<void()> before) {
  Job job{deep_copy(checkpoint), is_best, std::move(before)};
  {
    std::unique_lock lock(mutex_);
    rethrow();
    changed_.wait(lock, [this] { return waiting_.size() < kMostWaiting; });
    waiting_.push_back(std::move(job));
    drop_superseded();
  }
  changed_.notify_all();
}

void BackgroundSaver::check() {
  const std::lock_guard lock(mutex_);
  rethrow();
}

void BackgroundSaver::finish() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return waiting_.empty() && !busy_; });
  rethrow();
}

void BackgroundSaver::rethrow() {
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

// The writer's thread. It ends when nothing waits any more.
void BackgroundSaver::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    const Job job = std::move(waiting_.front());
    waiting_.pop_front();
    busy_ = true;
    lock.unlock();
    std::exception_ptr error;
    try {
      if (job.before) job.before();
      store_.save(job.checkpoint, job.is_best);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    busy_ = false;
    if (error) {
      error_ = error;
      waiting_.clear();
    }
    changed_.notify_all();
  }
}

}  // namespace outerloop::checkpoint
