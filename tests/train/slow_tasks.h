#pragma once
// Tasks that take a while.

#include <chrono>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "outerloop/base/stopwatch.h"
#include "outerloop/data/family.h"

namespace outerloop::train {

// Waits over each task, one after the other whoever draws them, and knows how many there were and
// how long they took.
class SlowTasks : public data::TaskFamily {
 public:
  SlowTasks(std::shared_ptr<const data::TaskFamily> base, std::chrono::milliseconds pause)
      : TaskFamily(base->shape(), base->spec()), base_(std::move(base)), pause_(pause) {}
  data::TaskDescription describe(const data::TaskKey& key) const override {
    return base_->describe(key);
  }
  int tasks() const { return tasks_; }
  double seconds_of_a_task() const { return seconds_ / tasks_; }

 private:
  void draw_task(const data::TaskKey& key, const data::EpisodeBuffers& buffers) const override {
    const std::scoped_lock one_at_a_time(busy_);
    const Stopwatch watch;
    base_->draw(key, buffers);
    std::this_thread::sleep_for(pause_);
    seconds_ += watch.seconds();
    ++tasks_;
  }

  std::shared_ptr<const data::TaskFamily> base_;
  std::chrono::milliseconds pause_;
  mutable std::mutex busy_;
  mutable double seconds_ = 0;
  mutable int tasks_ = 0;
};

}  // namespace outerloop::train
