#pragma once
// Streams and events as CUDA has them, in host memory: work runs in order, later, on a thread of
// the stream.

#include <algorithm>
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
  DeviceEvent make_event() override { return new std::shared_ptr(std::make_shared<Event>()); }
  void free_event(DeviceEvent event) noexcept override {
    delete static_cast<std::shared_ptr<Event>*>(event);
  }
  void record(DeviceEvent event, DeviceStream stream) override {
    const std::shared_ptr<Event> e = of(event);
    const std::lock_guard lock(e->mutex);
    stream_of(stream).push([e, number = ++e->recorded] {
      const std::lock_guard inner(e->mutex);
      e->reached = std::max(e->reached, number);
      e->changed.notify_all();
    });
  }
  bool reached(DeviceEvent event) override {
    const std::shared_ptr<Event> e = of(event);
    const std::lock_guard lock(e->mutex);
    return e->reached == e->recorded;
  }
  void wait_for(DeviceStream stream, DeviceEvent event) override {
    const std::shared_ptr<Event> e = of(event);
    const std::lock_guard lock(e->mutex);
    stream_of(stream).push([e, number = e->recorded] {
      std::unique_lock inner(e->mutex);
      e->changed.wait(inner, [&] { return e->reached >= number; });
    });
  }

 private:
  struct Event {
    std::mutex mutex;
    std::condition_variable changed;
    int64_t recorded = 0;
    int64_t reached = 0;
  };
  static std::shared_ptr<Event> of(DeviceEvent event) {
    return *static_cast<std::shared_ptr<Event>*>(event);
  }
  static FakeStream& stream_of(DeviceStream stream) { return *static_cast<FakeStream*>(stream); }
};

}  // namespace outerloop::comm
