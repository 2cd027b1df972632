#include "train/device_evaluation.h"

#include <fmt/format.h>

#include <algorithm>

#include "train/task_inputs.h"

namespace outerloop::train {
namespace {

// Of the device's memory, for all tasks side by side. The same on all devices: products by a
// library may depend on how many tasks there are.
constexpr size_t kMostBytes = size_t{2} << 30;
constexpr int64_t kBatchesOfRound = 4;

int64_t parts_of(int64_t total, int64_t most) {
  return (total + most - 1) / most;
}

int64_t tasks_that_fit(const DevicePlan& plan, const data::EpisodeSpec& spec) {
  const size_t task_bytes = plan.lane_bytes() + plan.lane().bytes() + TaskInputs::bytes(spec);
  return std::max<int64_t>(static_cast<int64_t>(kMostBytes / task_bytes), 1);
}

}  // namespace

DeviceEvaluation::DeviceEvaluation(const EvaluationWork& work, std::shared_ptr<exec::Device> device,
                                   std::shared_ptr<DeviceData> device_data,
                                   const passes::Options& options, int64_t most_tasks)
    : family_(work.family),
      state_(std::move(device), {.theta = Tensor(DType::f32, Shape{work.layout.elements})}),
      plan_(plan_lane(work.plan), theta_inputs(state_.host_theta().as<float>().data(), work.layout),
            family_, state_, options, std::move(device_data)),
      most_tasks_(std::min(most_tasks, tasks_that_fit(plan_, family_->spec()))) {}

void DeviceEvaluation::set_theta(const Tensor& flat) {
  state_.set({.theta = flat});
}

// Batches of one size, so that few tasks of the last one are for nothing.
int64_t DeviceEvaluation::prepare(int64_t tasks) {
  const int64_t size = parts_of(tasks, parts_of(tasks, most_tasks_));
  if (!batch_ || batch_->tasks() != size) {
    batch_.reset();
    batch_.emplace(plan_, size);
    losses_.clear();
    accuracies_.clear();
    for (size_t k = 0; k < plan_.calls().size(); ++k) {
      losses_.push_back(batch_->result(fmt::format("loss/{}", k)));
      if (!family_->spec().classification) continue;
      accuracies_.push_back(batch_->result(fmt::format("accuracy/{}", k)));
    }
  }
  return kBatchesOfRound * size;
}

bool DeviceEvaluation::run(const data::TaskKey& key, const comm::Range& slots,
                           const std::function<bool()>& cancelled, EvaluationResult& result) {
  data::TaskKey own = key;
  for (int64_t first = slots.first; first < slots.end; first += batch_->tasks()) {
    if (cancelled && cancelled()) return false;
    own.slot = static_cast<uint32_t>(first);
    batch_->set_tasks(own);
    batch_->compute();
    take(first, slots.end, result);
  }
  return true;
}

void DeviceEvaluation::take(int64_t first, int64_t end, EvaluationResult& result) const {
  plan_.device().synchronize(plan_.stream());
  const int64_t count = std::min(batch_->tasks(), end - first);
  const auto copy = [&](std::span<const float> from, std::vector<float>& to) {
    std::copy_n(from.begin(), count, to.begin() + first);
  };
  for (size_t k = 0; k < losses_.size(); ++k) copy(losses_[k], result.task_loss[k]);
  for (size_t k = 0; k < accuracies_.size(); ++k) copy(accuracies_[k], result.task_accuracy[k]);
}

}  // namespace outerloop::train
