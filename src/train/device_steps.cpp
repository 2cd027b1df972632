#include "train/device_steps.h"

#include <algorithm>
#include <bit>
#include <cstddef>

#include "train/device_tree.h"

namespace outerloop::train {
namespace {

exec::cuda::StepLog::Results results_of(const DeviceBatch* batch, const DeviceSums* sums,
                                        const std::vector<meta::Measure>& measures,
                                        const DeviceUpdate& update) {
  exec::cuda::StepLog::Results results{.state_hashes = update.hashes(), .made = update.made()};
  if (batch == nullptr) {
    results.measures.resize(measures.size());
    return results;
  }
  results.losses = batch->source("loss");
  results.accuracies = batch->source("accuracy");
  results.counts = sums->device_counts();
  results.gradient_hashes = sums->device_hashes();
  for (const meta::Measure& measure : measures) {
    results.measures.push_back(batch->source("measure/" + measure.name));
  }
  return results;
}

constexpr int64_t kMostAlone = 256, kMostWithPeers = 16;

}  // namespace

void DeviceSteps::make_kernels_with_peers(const std::shared_ptr<exec::Device>& device,
                                          const optim::ThetaLayout& layout,
                                          const comm::Range& slots,
                                          const exec::cuda::StepRow& row) {
  if (slots.size() > 0) {
    make_slot_sums(device, slots, layout, exec::cuda::SlotSums::Sums::of_subtrees);
  }
  exec::cuda::StepRow own = row;
  own.tasks = slots.size();
  own.has_accuracy = row.has_accuracy && own.tasks > 0;
  exec::cuda::StepLog::Results results;
  results.measures.resize(static_cast<size_t>(own.measures));
  const exec::DeviceMemory any = device->allocate(sizeof(float));
  if (own.has_accuracy) results.accuracies = any.data;
  const exec::cuda::StepLog log(device, own, kMostWithPeers, results, any.data);
  const DeviceTree tree(device, 1);
}

DeviceSteps::DeviceSteps(const config::Outer& config, const optim::ThetaLayout& layout,
                         const std::vector<meta::Measure>& measures, DeviceTeam& team,
                         DeviceUpdate& update, std::optional<DevicePeers> peers)
    : config_(config),
      plan_(team.plan()),
      update_(update),
      peers_(peers),
      most_(peers ? kMostWithPeers : kMostAlone),
      batch_(team.batch()),
      sums_(team.sums()),
      slots_(team.slots()),
      row_{.tasks = slots_.size(),
           .parameters = static_cast<int64_t>(layout.entries.size()),
           .vectors = update.vectors(),
           .measures = static_cast<int64_t>(measures.size()),
           .has_accuracy = batch_ != nullptr && batch_->source("accuracy") != nullptr},
      log_(plan_.shared_device(), row_, most_, results_of(batch_, sums_, measures, update),
           update.head() + offsetof(DeviceUpdate::Head, rate)) {
  for (auto* numbers : {&rates_, &corrections1_, &corrections2_}) {
    numbers->reserve(static_cast<size_t>(most_));
  }
  const auto begin = [this] {
    log_.launch_begin(plan_.stream());
    if (batch_ == nullptr) return;
    batch_->launch(log_.step());
    sums_->launch();
  };
  const auto end = [this] {
    update_.launch();
    log_.launch_end(plan_.stream());
  };
  if (peers_) {
    first_ = recorded(begin);
    last_ = recorded(end);
  } else {
    first_ = recorded([&] {
      begin();
      end();
    });
  }
}

template <class Work>
exec::DeviceGraph DeviceSteps::recorded(Work work) const {
  plan_.device().begin_recording(plan_.stream());
  work();
  return plan_.device().end_recording(plan_.stream());
}

// Of a step it is known when it is, and not how many updates were made before.
void DeviceSteps::start(const data::TaskKey& first, int64_t count) {
  const auto first_iteration = static_cast<int64_t>(first.iteration);
  steps_ = 0;
  for (auto* numbers : {&rates_, &corrections1_, &corrections2_}) numbers->clear();
  for (int64_t i = 0; i < count; ++i) {
    const optim::OuterScalars scalars =
        optim::outer_scalars(config_, first_iteration + i, update_.updates() + i);
    rates_.push_back(static_cast<float>(scalars.rate));
    corrections1_.push_back(static_cast<float>(scalars.correction1));
    corrections2_.push_back(static_cast<float>(scalars.correction2));
  }
  data::TaskKey own = first;
  own.slot = static_cast<uint32_t>(slots_.first);
  if (batch_ != nullptr) batch_->set_tasks(own);
  log_.restart(plan_.stream(), rates_, corrections1_, corrections2_);
}

void DeviceSteps::step() {
  plan_.device().launch(plan_.stream(), first_);
  if (peers_) {
    const auto nodes = sums_ != nullptr ? sums_->nodes() : std::span<const comm::SlotNode>();
    for (size_t g = 0; peers_->sum.ordered() && g < peers_->groups; ++g)
      peers_->sum.begin(g, nodes);
    peers_->sum.finish(nodes);
    plan_.device().launch(plan_.stream(), last_);
  }
  ++steps_;
}

void DeviceSteps::finish() {
  log_.fetch(plan_.stream(), steps_);
  // Nobody who waits for a stream alone would hear of a rank that failed.
  if (peers_) peers_->devices.wait();
  plan_.device().synchronize(plan_.stream());
  int64_t made = 0;
  for (int64_t i = 0; i < steps_; ++i) made += log_.row(i).back();
  update_.count_updates(made);
}

bool DeviceSteps::take(int64_t i, TaskResults& results, StepHashes& hashes) const {
  const std::span<const uint32_t> words = log_.row(i);
  const auto numbers = static_cast<size_t>(row_.tasks * row_.task_words());
  std::ranges::transform(words.first(numbers),
                         results.numbers().begin() + slots_.first * results.width(),
                         [](uint32_t word) { return std::bit_cast<float>(word); });
  const auto parameters = static_cast<size_t>(row_.parameters);
  std::ranges::copy(words.subspan(numbers, parameters), hashes.gradients.begin());
  std::ranges::copy(words.subspan(numbers + parameters, parameters), hashes.state.begin());
  return words.back() != 0;
}

}  // namespace outerloop::train
