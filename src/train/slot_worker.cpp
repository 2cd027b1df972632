#include "train/slot_worker.h"

#include <cmath>

#include "outerloop/base/stopwatch.h"
#include "train/finite.h"

namespace outerloop::train {

SlotWorker::SlotWorker(const CompiledGradientPlan& plan,
                       std::shared_ptr<const data::TaskFamily> family,
                       const optim::ThetaLayout& layout, const std::vector<meta::Measure>& measures)
    : elements_(layout.elements), runner_(plan, std::move(family), layout), sums_(0, 0, 0) {
  for (const meta::Measure& m : measures) measures_.push_back(runner_.measure(m.name));
}

void SlotWorker::deal(const comm::Range& slots) {
  slots_ = slots;
  sums_ = comm::SlotAccumulator(elements_, slots.first, slots.end);
}

void SlotWorker::run(data::TaskKey key, TaskResults& results, const Release& release, bool early,
                     MetaStepTimes* times) {
  times != nullptr ? run_slots<true>(key, results, release, early, times)
                   : run_slots<false>(key, results, release, early, times);
}

template <bool kTimed>
void SlotWorker::run_slots(data::TaskKey key, TaskResults& results, const Release& release,
                           bool early, [[maybe_unused]] MetaStepTimes* times) {
  sums_.clear();
  early = early && slots_.size() > 0;
  [[maybe_unused]] Stopwatch watch;
  for (int64_t slot = slots_.first; slot < slots_.end; ++slot) {
    key.slot = static_cast<uint32_t>(slot);
    runner_.draw(key);
    if constexpr (kTimed) times->draw += watch.lap();
    const bool last = slot + 1 == slots_.end;
    TaskResults::Task task = results.of(slot);
    task.set(early && last ? compute_and_release(slot, release) : compute_and_add(slot));
    task.loss = runner_.loss();
    task.accuracy = runner_.accuracy();
    for (size_t m = 0; m < measures_.size(); ++m) task.measures[m] = *measures_[m];
    if constexpr (kTimed) times->compute += watch.lap();
  }
  if (early) return;
  for (size_t place = 0; place < release.groups.size(); ++place) release.tell(place);
}

TaskResults::State SlotWorker::compute_and_add(int64_t slot) {
  runner_.compute();
  if (std::isfinite(runner_.loss()) && all_finite(runner_.gradient())) {
    sums_.add(slot, runner_.gradient());
    return TaskResults::State::counts;
  }
  sums_.skip(slot);
  return TaskResults::State::left_out;
}

TaskResults::State SlotWorker::compute_and_release(int64_t slot, const Release& release) {
  auto state = TaskResults::State::counts;
  runner_.compute(release.groups, [&](size_t place) {
    const auto& [first, end] = release.groups[place].elements;
    const auto part =
        runner_.gradient().subspan(static_cast<size_t>(first), static_cast<size_t>(end - first));
    const bool finite = std::isfinite(runner_.loss()) && all_finite(part);
    if (place == 0) {
      finite ? sums_.open(slot) : sums_.skip(slot);
      if (!finite) state = TaskResults::State::left_out;
    }
    if (state == TaskResults::State::counts && !finite) state = TaskResults::State::late;
    if (state == TaskResults::State::counts) sums_.add_range(runner_.gradient(), first, end);
    release.tell(place);
  });
  return state;
}

}  // namespace outerloop::train
