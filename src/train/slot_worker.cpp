#include "train/slot_worker.h"

#include <algorithm>
#include <cmath>

#include "outerloop/base/stopwatch.h"

namespace outerloop::train {

SlotWorker::SlotWorker(const CompiledGradientPlan& plan,
                       std::shared_ptr<const data::TaskFamily> family,
                       const optim::ThetaLayout& layout, const std::vector<meta::Measure>& measures)
    : elements_(layout.elements),
      parameter_ends_(ends_of(layout)),
      runner_(plan, std::move(family), layout),
      sums_(0, 0, 0),
      bit_sums_(parameter_ends_.size()),
      apart_sums_(parameter_ends_.size()) {
  for (const meta::Measure& m : measures) measures_.push_back(runner_.measure(m.name));
}

void SlotWorker::deal(const comm::Range& slots) {
  slots_ = slots;
  sums_ = comm::SlotAccumulator(elements_, slots.first, slots.end);
}

void SlotWorker::run(data::TaskKey key, TaskResults& results, const Release& release,
                     MetaStepTimes* times) {
  times != nullptr ? run_slots<true>(key, results, release, times)
                   : run_slots<false>(key, results, release, times);
}

template <bool kTimed>
void SlotWorker::run_slots(data::TaskKey key, TaskResults& results, const Release& release,
                           [[maybe_unused]] MetaStepTimes* times) {
  sums_.clear();
  std::ranges::fill(bit_sums_, LaneSums{});
  std::ranges::fill(apart_sums_, LaneSums{});
  [[maybe_unused]] Stopwatch watch;
  for (int64_t slot = slots_.first; slot < slots_.end; ++slot) {
    key.slot = static_cast<uint32_t>(slot);
    runner_.draw(key);
    if constexpr (kTimed) times->draw += watch.lap();
    const bool last = slot + 1 == slots_.end;
    TaskResults::Task task = results.of(slot);
    hash_ = 0;
    task.set(last && !release.groups.empty() ? compute_and_release(key, release)
                                             : compute_and_add(key));
    task.set_hash(hash_);
    task.loss = runner_.loss();
    task.accuracy = runner_.accuracy();
    for (size_t m = 0; m < measures_.size(); ++m) task.measures[m] = *measures_[m];
    if constexpr (kTimed) times->compute += watch.lap();
  }
  if (slots_.size() > 0) return;
  for (size_t place = 0; place < release.groups.size(); ++place) release.tell(place);
}

// Of the gradient in elements that end where parameters do. Returns whether all are finite.
bool SlotWorker::hash(const data::TaskKey& key, const comm::Range& elements) {
  if (hook_) {
    hook_(static_cast<int64_t>(key.iteration), key.slot, elements.first,
          runner_.gradient().subspan(static_cast<size_t>(elements.first),
                                     static_cast<size_t>(elements.size())));
  }
  const auto place = [this](int64_t element) {
    return std::ranges::upper_bound(parameter_ends_, element) - parameter_ends_.begin();
  };
  const auto begin = static_cast<size_t>(place(elements.first));
  const auto count = static_cast<size_t>(place(elements.end)) - begin;
  const auto ends = std::span(parameter_ends_).subspan(begin, count);
  const auto sums = std::span(bit_sums_).subspan(begin, count);
  const BitSum bits = add_bit_sums(runner_.gradient(), elements.first, ends, sums);
  if (key.slot == apart_) {
    add_bit_sums(runner_.gradient(), elements.first, ends,
                 std::span(apart_sums_).subspan(begin, count));
  }
  hash_ += bits.hash;
  return bits.finite;
}

TaskResults::State SlotWorker::compute_and_add(const data::TaskKey& key) {
  const int64_t slot = key.slot;
  runner_.compute();
  const bool finite = hash(key, {0, elements_});
  if (std::isfinite(runner_.loss()) && finite) {
    sums_.add(slot, runner_.gradient());
    return TaskResults::State::counts;
  }
  sums_.skip(slot);
  return TaskResults::State::left_out;
}

TaskResults::State SlotWorker::compute_and_release(const data::TaskKey& key,
                                                   const Release& release) {
  const int64_t slot = key.slot;
  auto state = TaskResults::State::counts;
  runner_.compute(release.groups, [&](size_t place) {
    const auto& [first, end] = release.groups[place].elements;
    const bool finite = hash(key, {first, end}) && std::isfinite(runner_.loss());
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

SlotReplay SlotWorker::replay(const data::TaskKey& key) {
  runner_.draw(key);
  runner_.compute();
  std::vector<LaneSums> sums(parameter_ends_.size());
  const BitSum bits = add_bit_sums(runner_.gradient(), 0, parameter_ends_, sums);
  SlotReplay result{.loss = runner_.loss(),
                    .finite = bits.finite && std::isfinite(runner_.loss()),
                    .hash = bits.hash};
  result.gradients.resize(sums.size());
  hash_each(sums, result.gradients);
  return result;
}

}  // namespace outerloop::train
