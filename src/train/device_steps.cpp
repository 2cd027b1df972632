#include "train/device_steps.h"

#include <algorithm>
#include <bit>
#include <cstddef>

#include "train/device_sums.h"

namespace outerloop::train {
namespace {

exec::cuda::StepLog::Results results_of(const DeviceBatch& batch,
                                        const std::vector<meta::Measure>& measures,
                                        const DeviceUpdate& update, std::byte* counts,
                                        std::byte* hashes) {
  exec::cuda::StepLog::Results results{.losses = batch.source("loss"),
                                       .accuracies = batch.source("accuracy"),
                                       .counts = counts,
                                       .gradient_hashes = hashes,
                                       .state_hashes = update.hashes(),
                                       .made = update.made()};
  for (const meta::Measure& measure : measures) {
    results.measures.push_back(batch.source("measure/" + measure.name));
  }
  return results;
}

}  // namespace

DeviceSteps::DeviceSteps(const config::Config& config, const DevicePlan& plan, DeviceUpdate& update,
                         const TeamWork& work)
    : config_(config.outer),
      plan_(plan),
      update_(update),
      batch_(plan, config_.meta_batch),
      bit_sums_(plan.shared_device(), ends_of(work.layout)),
      slot_sums_(make_slot_sums(plan.shared_device(), {0, config_.meta_batch}, work.layout,
                                exec::cuda::SlotSums::Sums::of_all)),
      counts_(plan.device().allocate(static_cast<size_t>(config_.meta_batch) * sizeof(float))),
      hashes_(plan.device().allocate(static_cast<size_t>(config_.meta_batch) *
                                     work.layout.entries.size() * sizeof(uint32_t))),
      finite_(plan.device().allocate(hashes_.bytes)),
      row_{.tasks = config_.meta_batch,
           .parameters = static_cast<int64_t>(work.layout.entries.size()),
           .vectors = update.vectors(),
           .measures = static_cast<int64_t>(work.measures.size()),
           .has_accuracy = batch_.source("accuracy") != nullptr},
      log_(plan.shared_device(), row_, most(),
           results_of(batch_, work.measures, update, counts_.data, hashes_.data),
           update.head() + offsetof(DeviceUpdate::Head, rate)) {
  for (auto* numbers : {&rates_, &corrections1_, &corrections2_}) {
    numbers->reserve(static_cast<size_t>(most()));
  }
  plan_.device().begin_recording(plan_.stream());
  launch();
  graph_ = plan_.device().end_recording(plan_.stream());
}

void DeviceSteps::launch() {
  const exec::DeviceStream& stream = plan_.stream();
  log_.launch_begin(stream);
  batch_.launch(log_.step());
  const auto words = row_.parameters * static_cast<int64_t>(sizeof(uint32_t));
  bit_sums_.run(stream, row_.tasks,
                {batch_.gradients(), static_cast<int64_t>(update_.sum().size_bytes())},
                {hashes_.data, words}, {finite_.data, words});
  slot_sums_.run(stream, {.gradients = batch_.gradients(),
                          .losses = batch_.source("loss"),
                          .finite = finite_.data,
                          .counts = counts_.data,
                          .sums = {reinterpret_cast<std::byte*>(update_.sum().data())},
                          .numbers = {update_.head() + offsetof(DeviceUpdate::Head, scale)}});
  update_.launch();
  log_.launch_end(stream);
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
  batch_.set_tasks(first);
  log_.restart(plan_.stream(), rates_, corrections1_, corrections2_);
}

void DeviceSteps::step() {
  plan_.device().launch(plan_.stream(), graph_);
  ++steps_;
}

void DeviceSteps::finish() {
  log_.fetch(plan_.stream(), steps_);
  plan_.device().synchronize(plan_.stream());
  int64_t made = 0;
  for (int64_t i = 0; i < steps_; ++i) made += log_.row(i).back();
  update_.count_updates(made);
}

bool DeviceSteps::take(int64_t i, TaskResults& results, StepHashes& hashes) const {
  const std::span<const uint32_t> words = log_.row(i);
  const auto numbers = static_cast<size_t>(row_.tasks * row_.task_words());
  std::ranges::transform(words.first(numbers), results.numbers().begin(),
                         [](uint32_t word) { return std::bit_cast<float>(word); });
  const auto parameters = static_cast<size_t>(row_.parameters);
  std::ranges::copy(words.subspan(numbers, parameters), hashes.gradients.begin());
  std::ranges::copy(words.subspan(numbers + parameters, parameters), hashes.state.begin());
  return words.back() != 0;
}

}  // namespace outerloop::train
