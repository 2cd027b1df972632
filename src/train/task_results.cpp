#include "train/task_results.h"

#include <algorithm>
#include <cmath>

#include "train/bit_sums.h"

namespace outerloop::train {
namespace {

constexpr size_t kFirstMeasure = 4;  // after loss, accuracy, state and hash

}  // namespace

SlotReplay replay_of(float loss, std::span<const float> gradient, std::span<const int64_t> ends) {
  std::vector<LaneSums> sums(ends.size());
  const BitSum bits = add_bit_sums(gradient, 0, ends, sums);
  SlotReplay result{.loss = loss, .finite = bits.finite && std::isfinite(loss)};
  result.gradients.resize(sums.size());
  if (!result.finite) return result;
  result.hash = bits.hash;
  hash_each(sums, result.gradients);
  return result;
}

TaskResults::TaskResults(int64_t slots, size_t measures)
    : slots_(slots),
      width_(kFirstMeasure + measures),
      numbers_(static_cast<size_t>(slots) * width_),
      measure_means_(measures) {}

TaskResults::Task TaskResults::of(int64_t slot) {
  const auto task = std::span(numbers_).subspan(static_cast<size_t>(slot) * width_, width_);
  return {task[0], task[1], task.subspan(kFirstMeasure), task[2], task[3]};
}

bool TaskResults::any_late() {
  for (int64_t slot = 0; slot < slots_; ++slot) {
    if (of(slot).state == static_cast<float>(State::late)) return true;
  }
  return false;
}

MetaStepResult TaskResults::summarise() {
  MetaStepResult sum{.measures = measure_means_};
  std::ranges::fill(measure_means_, 0.0);
  for (int64_t slot = 0; slot < slots_; ++slot) {
    const Task task = of(slot);
    if (task.state != static_cast<float>(State::counts)) {
      ++sum.nonfinite;
      continue;
    }
    sum.loss += static_cast<double>(task.loss);
    sum.accuracy += static_cast<double>(task.accuracy);
    for (size_t m = 0; m < measure_means_.size(); ++m) {
      measure_means_[m] += static_cast<double>(task.measures[m]);
    }
  }
  const auto count = static_cast<double>(slots_ - sum.nonfinite);
  if (count > 0) {
    sum.loss /= count;
    sum.accuracy /= count;
    for (double& mean : measure_means_) mean /= count;
  }
  return sum;
}

}  // namespace outerloop::train
