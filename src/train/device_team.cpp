#include "train/device_team.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "outerloop/base/stopwatch.h"

namespace outerloop::train {

DeviceTeam::DeviceTeam(const TeamWork& work, const DeviceState& state,
                       const passes::Options& options, float* total)
    : layout_(work.layout),
      measures_(work.measures),
      total_(total),
      parameter_ends_(ends_of(layout_)),
      plan_(plan_lane(work.plan, layout_), work.shared, work.family, state, options),
      single_(plan_, 1) {}

std::vector<FinalGroup> DeviceTeam::order(std::span<const comm::Range> groups) const {
  std::vector<FinalGroup> order;
  for (size_t g = 0; g < groups.size(); ++g) order.push_back({.group = g, .elements = groups[g]});
  return order;
}

void DeviceTeam::deal(const comm::Range& slots) {
  if (slots == slots_) return;
  slots_ = slots;
  sums_.reset();
  batch_.reset();
}

void DeviceTeam::prepare() {
  if (batch_ || slots_.size() == 0) return;
  batch_.emplace(plan_, slots_.size());
  sums_.emplace(plan_, *batch_, layout_, slots_, total_);
  losses_ = batch_->result("loss");
  accuracies_ = batch_->result("accuracy");
  measured_.clear();
  for (const meta::Measure& measure : measures_) {
    measured_.push_back(batch_->result("measure/" + measure.name));
  }
}

DeviceBatch* DeviceTeam::batch() {
  prepare();
  return batch_ ? &*batch_ : nullptr;
}

DeviceSums* DeviceTeam::sums() {
  prepare();
  return sums_ ? &*sums_ : nullptr;
}

std::span<const comm::SlotNode> DeviceTeam::nodes() {
  return sums_ ? sums_->nodes() : std::span<const comm::SlotNode>();
}

void DeviceTeam::run(const data::TaskKey& key, TaskResults& results, std::span<const FinalGroup>,
                     const Tell&, MetaStepTimes* times) {
  Stopwatch watch;
  data::TaskKey first = key;
  first.slot = static_cast<uint32_t>(slots_.first);
  prepare();
  if (batch_) {
    batch_->set_tasks(first);
    batch_->compute();
    if (hook_) call_hook(first);
    sums_->run();
    plan_.device().synchronize(plan_.stream());
  }
  for (int64_t task = 0; task < slots_.size(); ++task) take(task, results.of(slots_.first + task));
  if (times != nullptr) times->compute += watch.lap();
}

void DeviceTeam::call_hook(const data::TaskKey& key) {
  batch_->fetch_gradients();
  for (int64_t task = 0; task < slots_.size(); ++task) {
    hook_(static_cast<int64_t>(key.iteration), key.slot + task, 0, batch_->gradient(task));
  }
  batch_->put_gradients();
}

void DeviceTeam::take(int64_t task, TaskResults::Task result) {
  const auto own = static_cast<size_t>(task);
  result.loss = losses_[own];
  result.accuracy = accuracies_.empty() ? 0 : accuracies_[own];
  for (size_t m = 0; m < measured_.size(); ++m) result.measures[m] = measured_[m][own];
  const bool counts = sums_->counts(task);
  const auto hashes = sums_->hashes(task);
  result.set(counts ? TaskResults::State::counts : TaskResults::State::left_out);
  result.set_hash(counts ? std::accumulate(hashes.begin(), hashes.end(), uint32_t{0}) : 0);
}

void DeviceTeam::hash_gradients(std::span<uint32_t> hashes) {
  std::ranges::fill(hashes, 0U);
  for (int64_t task = 0; task < slots_.size(); ++task) add_hashes(task, hashes);
}

void DeviceTeam::hash_apart(std::span<uint32_t> hashes) {
  std::ranges::fill(hashes, 0U);
  if (slots_.first <= apart_ && apart_ < slots_.end) add_hashes(apart_ - slots_.first, hashes);
}

void DeviceTeam::add_hashes(int64_t task, std::span<uint32_t> hashes) const {
  if (!sums_->counts(task)) return;
  const auto own = sums_->hashes(task);
  std::ranges::transform(hashes, own, hashes.begin(), std::plus<>());
}

SlotReplay DeviceTeam::replay(const data::TaskKey& key) {
  single_.set_tasks(key);
  single_.compute();
  single_.fetch_gradients();
  return replay_of(single_.result("loss")[0], single_.gradient(0), parameter_ends_);
}

bool DeviceTeam::has_accuracy() const {
  return !single_.result("accuracy").empty();
}

std::vector<exec::StepTime> DeviceTeam::profile(const data::TaskKey& key, int repeats) {
  single_.set_tasks(key);
  Stopwatch watch;
  for (int i = 0; i < repeats; ++i) single_.compute();
  plan_.device().synchronize(plan_.stream());
  return {{.description = "all calls of one task, copies included",
           .seconds = watch.seconds() / repeats,
           .flops = plan_.flops().all}};
}

}  // namespace outerloop::train
