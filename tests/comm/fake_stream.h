#pragma once
// Streams and events as CUDA has them, in host memory: work runs in order, later, on a thread of
// the stream.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "outerloop/comm/device_ranks.h"

namespace outerloop::comm {

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

class FakeDevice final : public DeviceCalls {
 public:
  DeviceEvent make_event() override { return new std::shared_ptr<Mark>(); }
  void free_event(DeviceEvent event) noexcept override { delete &mark_of(event); }
  void record(DeviceEvent event, DeviceStream stream) override {
    mark_of(event) = std::make_shared<Mark>();
    stream_of(stream).push([mark = mark_of(event)] {
      mark->reached = true;
      mark->reached.notify_all();
    });
  }
  bool reached(DeviceEvent event) override {
    return mark_of(event) == nullptr || mark_of(event)->reached;
  }
  void wait_for(DeviceStream stream, DeviceEvent event) override {
    if (mark_of(event) == nullptr) return;
    stream_of(stream).push([mark = mark_of(event)] { mark->reached.wait(false); });
  }

 private:
  // A place in a stream: those who wait for it do so even if the event is recorded again.
  struct Mark {
    std::atomic<bool> reached = false;
  };
  static std::shared_ptr<Mark>& mark_of(DeviceEvent event) {
    return *static_cast<std::shared_ptr<Mark>*>(event);
  }
  static FakeStream& stream_of(DeviceStream stream) { return *static_cast<FakeStream*>(stream); }
};

}  // namespace outerloop::comm
