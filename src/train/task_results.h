#pragma once
// What is kept of each task of a meta-batch: loss, accuracy, whether it counts, the hash of its
// gradient, the learner's measures.

#include <bit>
#include <span>
#include <vector>

#include "outerloop/train/meta_step.h"

namespace outerloop::train {

// Of a task with this loss and gradient, whose parameters end at `ends`.
SlotReplay replay_of(float loss, std::span<const float> gradient, std::span<const int64_t> ends);

class TaskResults {
 public:
  // late: something was not finite after a part of the gradient had been sent as if all were.
  enum class State { left_out = 0, counts = 1, late = -1 };
  struct Task {
    float& loss;
    float& accuracy;
    std::span<float> measures;
    float& state;
    float& hash_bits;
    void set(State value) { state = static_cast<float>(value); }
    void set_hash(uint32_t hash) { hash_bits = std::bit_cast<float>(hash); }
    uint32_t hash() const { return std::bit_cast<uint32_t>(hash_bits); }
  };

  TaskResults(int64_t slots, size_t measures);

  int64_t slots() const { return slots_; }
  Task of(int64_t slot);
  bool any_late();
  // The means over the slots that count, in slot order. Valid until the next call.
  MetaStepResult summarise();

  // All, by slot: `width` numbers each.
  std::span<float> numbers() { return numbers_; }
  int64_t width() const { return static_cast<int64_t>(width_); }

 private:
  int64_t slots_;
  size_t width_;
  std::vector<float> numbers_;
  std::vector<double> measure_means_;
};

}  // namespace outerloop::train
