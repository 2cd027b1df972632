#include "train/device_team.h"

#include <algorithm>
#include <cmath>

#include "outerloop/base/stopwatch.h"

namespace outerloop::train {

DeviceTeam::DeviceTeam(const TeamWork& work, ThreadPool& pool,
                       const std::shared_ptr<exec::Device>& device, const passes::Options& options)
    : pool_(pool),
      family_(work.family),
      layout_(work.layout),
      measures_(work.measures),
      parameter_ends_(ends_of(layout_)),
      plan_(work, device, options),
      single_(plan_, family_, layout_, 1),
      sums_(0, 0, 0),
      bit_sums_(parameter_ends_.size()),
      apart_sums_(parameter_ends_.size()) {}

std::vector<FinalGroup> DeviceTeam::order(std::span<const comm::Range> groups) const {
  std::vector<FinalGroup> order;
  for (size_t g = 0; g < groups.size(); ++g) order.push_back({.group = g, .elements = groups[g]});
  return order;
}

void DeviceTeam::deal(const comm::Range& slots) {
  if (batch_ && slots == slots_) return;
  slots_ = slots;
  sums_ = comm::SlotAccumulator(layout_.elements, slots.first, slots.end);
  batch_.reset();
  if (slots.size() > 0) batch_.emplace(plan_, family_, layout_, slots.size());
}

void DeviceTeam::run(const data::TaskKey& key, TaskResults& results,
                     std::span<const FinalGroup> order, const Tell& tell, MetaStepTimes* times) {
  Stopwatch watch;
  sums_.clear();
  std::ranges::fill(bit_sums_, LaneSums{});
  std::ranges::fill(apart_sums_, LaneSums{});
  data::TaskKey own = key;
  own.slot = static_cast<uint32_t>(slots_.first);
  if (batch_) batch_->draw(own, pool_);
  if (times != nullptr) times->draw += watch.lap();
  if (batch_) batch_->compute();
  for (int64_t task = 0; task < slots_.size(); ++task, ++own.slot) {
    take(own, task, results.of(own.slot));
  }
  if (times != nullptr) times->compute += watch.lap();
  if (!tell) return;
  for (size_t place = 0; place < order.size(); ++place) tell(place);
}

void DeviceTeam::take(const data::TaskKey& key, int64_t task, TaskResults::Task result) {
  const std::span<float> gradient = batch_->gradient(task);
  if (hook_) hook_(static_cast<int64_t>(key.iteration), key.slot, 0, gradient);
  const BitSum bits = add_bit_sums(gradient, 0, parameter_ends_, bit_sums_);
  if (key.slot == apart_) add_bit_sums(gradient, 0, parameter_ends_, apart_sums_);
  result.loss = batch_->loss(task);
  result.accuracy = batch_->accuracy(task);
  for (size_t m = 0; m < measures_.size(); ++m) {
    result.measures[m] = batch_->measure(measures_[m].name, task);
  }
  result.set_hash(bits.hash);
  const bool counts = bits.finite && std::isfinite(result.loss);
  counts ? sums_.add(key.slot, gradient) : sums_.skip(key.slot);
  result.set(counts ? TaskResults::State::counts : TaskResults::State::left_out);
}

void DeviceTeam::add_bit_sums_to(std::span<LaneSums> parts) const {
  for (size_t p = 0; p < parts.size(); ++p) parts[p] += bit_sums_[p];
}

void DeviceTeam::add_apart_to(std::span<LaneSums> parts) const {
  for (size_t p = 0; p < parts.size(); ++p) parts[p] += apart_sums_[p];
}

SlotReplay DeviceTeam::replay(const data::TaskKey& key) {
  single_.draw(key, pool_);
  single_.compute();
  std::vector<LaneSums> sums(parameter_ends_.size());
  const BitSum bits = add_bit_sums(single_.gradient(0), 0, parameter_ends_, sums);
  SlotReplay result{.loss = single_.loss(0),
                    .finite = bits.finite && std::isfinite(single_.loss(0)),
                    .hash = bits.hash};
  result.gradients.resize(sums.size());
  hash_each(sums, result.gradients);
  return result;
}

bool DeviceTeam::has_accuracy() const {
  return single_.has_accuracy();
}

size_t DeviceTeam::bytes() const {
  const size_t batch = batch_ ? batch_->bytes() : 0;
  return plan_.shared_bytes() + single_.bytes() + batch + sums_.bytes();
}

std::vector<exec::StepTime> DeviceTeam::profile(const data::TaskKey& key, int repeats) {
  single_.draw(key, pool_);
  Stopwatch watch;
  for (int i = 0; i < repeats; ++i) single_.compute();
  return {{.description = "all calls of one task, copies included",
           .seconds = watch.seconds() / repeats,
           .flops = plan_.flops().all}};
}

}  // namespace outerloop::train
