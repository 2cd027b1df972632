#include "train/slot_worker.h"

#include <algorithm>
#include <cmath>

#include "outerloop/base/stopwatch.h"

namespace outerloop::train {
namespace {

// Larger tasks take longer to be copied than they keep anybody waiting.
constexpr size_t kSmallTask = 4096;  // bytes

size_t tasks_ahead(const data::EpisodeSpec& spec, int64_t slots) {
  return TaskInputs::bytes(spec) <= kSmallTask ? static_cast<size_t>(slots) : 0;
}

}  // namespace

SlotWorker::SlotWorker(const CompiledGradientPlan& plan,
                       std::shared_ptr<const data::TaskFamily> family,
                       const optim::ThetaLayout& layout, const std::vector<meta::Measure>& measures)
    : family_(std::move(family)),
      elements_(layout.elements),
      parameter_ends_(ends_of(layout)),
      runner_(plan, family_, layout),
      sums_(0, 0, 0),
      slot_sums_(parameter_ends_.size()),
      bit_sums_(parameter_ends_.size()),
      apart_sums_(parameter_ends_.size()) {
  for (const meta::Measure& m : measures) measures_.push_back(runner_.measure(m.name));
}

void SlotWorker::deal(const comm::Range& slots, bool ahead) {
  slots_ = slots;
  sums_ = comm::SlotAccumulator(elements_, slots.first, slots.end);
  is_drawn_ = false;
  ahead_.resize(ahead ? tasks_ahead(family_->spec(), slots.size()) : 0);
  for (auto& inputs : ahead_) inputs = std::make_unique<TaskInputs>(family_->spec());
}

size_t SlotWorker::bytes() const {
  return runner_.buffer_bytes() + sums_.bytes() + bytes_ahead(family_->spec(), std::ssize(ahead_));
}

size_t SlotWorker::bytes_ahead(const data::EpisodeSpec& spec, int64_t slots) {
  return tasks_ahead(spec, slots) * TaskInputs::bytes(spec);
}

void SlotWorker::draw_ahead() noexcept {
  data::TaskKey key = key_;
  ++key.iteration;
  try {
    for (size_t i = 0; i < ahead_.size(); ++i) {
      key.slot = static_cast<uint32_t>(slots_.first) + static_cast<uint32_t>(i);
      ahead_[i]->draw(*family_, key);
    }
    is_drawn_ = !ahead_.empty();
  } catch (...) {  // run() draws by itself, and fails there
  }
}

// Whether what was drawn ahead is what run() asks for with this key.
bool SlotWorker::is_next(const data::TaskKey& key) const {
  return is_drawn_ && key.seed == key_.seed && key.split == key_.split &&
         key.iteration == key_.iteration + 1;
}

void SlotWorker::run(data::TaskKey key, TaskResults& results, const Release& release,
                     MetaStepTimes* times) {
  times != nullptr ? run_slots<true>(key, results, release, times)
                   : run_slots<false>(key, results, release, times);
}

template <bool kTimed>
void SlotWorker::run_slots(data::TaskKey key, TaskResults& results, const Release& release,
                           [[maybe_unused]] MetaStepTimes* times) {
  const bool is_drawn = is_next(key);
  is_drawn_ = false;
  key_ = key;
  sums_.clear();
  std::ranges::fill(bit_sums_, LaneSums{});
  std::ranges::fill(apart_sums_, LaneSums{});
  [[maybe_unused]] Stopwatch watch;
  for (int64_t slot = slots_.first; slot < slots_.end; ++slot) {
    key.slot = static_cast<uint32_t>(slot);
    is_drawn ? runner_.take(*ahead_[static_cast<size_t>(slot - slots_.first)]) : runner_.draw(key);
    if constexpr (kTimed) times->draw += watch.lap();
    const bool last = slot + 1 == slots_.end;
    TaskResults::Task task = results.of(slot);
    hash_ = 0;
    std::ranges::fill(slot_sums_, LaneSums{});
    keep_hash(
        slot, task,
        last && !release.groups.empty() ? compute_and_release(key, release) : compute_and_add(key));
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
  const BitSum bits = add_bit_sums(runner_.gradient(), elements.first, ends,
                                   std::span(slot_sums_).subspan(begin, count));
  hash_ += bits.hash;
  return bits.finite;
}

// What is not a number has other bits on other processors.
void SlotWorker::keep_hash(int64_t slot, TaskResults::Task& task, TaskResults::State state) {
  const bool counts = state == TaskResults::State::counts;
  task.set(state);
  task.set_hash(counts ? hash_ : 0);
  if (!counts) return;
  for (size_t p = 0; p < bit_sums_.size(); ++p) bit_sums_[p] += slot_sums_[p];
  if (slot == apart_) std::ranges::copy(slot_sums_, apart_sums_.begin());
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
  return replay_of(runner_.loss(), runner_.gradient(), parameter_ends_);
}

}  // namespace outerloop::train
