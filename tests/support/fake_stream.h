#pragma once
// Streams and events as CUDA has them, in host memory: work runs in order, later, on a thread of
// the stream.

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace outerloop::testing_support {

class FakeStream {
 public:
  FakeStream() : thread_([this] { run(); }) {}
  ~FakeStream() {
    push({});
    thread_.join();
  }
  FakeStream(const FakeStream&) = delete;
  FakeStream& operator=(const FakeStream&) = delete;

  void push(std::function<void()> work) {
    const std::lock_guard lock(mutex_);
    work_.push_back(std::move(work));
    changed_.notify_all();
  }
  // Waits for all work so far.
  void drain() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return work_.empty(); });
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return !work_.empty(); });
      const std::function<void()> work = work_.front();
      if (!work) return;
      lock.unlock();
      work();
      lock.lock();
      work_.pop_front();
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> work_;  // the first one runs
  std::thread thread_;
};

class FakeEvent {
 public:
  // The two calls of it are work for a stream.
  std::function<void()> record() {
    mark_ = std::make_shared<Mark>();
    return [mark = mark_] {
      mark->reached = true;
      mark->reached.notify_all();
    };
  }
  std::function<void()> wait() const {
    return [mark = mark_] {
      if (mark != nullptr) mark->reached.wait(false);
    };
  }
  bool reached() const { return mark_ == nullptr || mark_->reached; }

 private:
  // A place in a stream: those who wait for it do so even if the event is recorded again.
  struct Mark {
    std::atomic<bool> reached = false;
  };
  std::shared_ptr<Mark> mark_;
};

}  // namespace outerloop::testing_support
