#pragma once
// Tasks of an evaluation on a device, many side by side. Of as many as a batch has room for, those
// that nobody asked for are computed and not looked at.

#include <memory>
#include <optional>
#include <vector>

#include "train/device_batch.h"
#include "train/evaluation_team.h"

namespace outerloop::train {

class DeviceEvaluation : public EvaluationTeam {
 public:
  static constexpr int64_t kMostTasks = 1024;

  // `device_data`: what the device has already of data sets, or null.
  // `most_tasks`: side by side, where there is memory for them.
  DeviceEvaluation(const EvaluationWork& work, std::shared_ptr<exec::Device> device,
                   std::shared_ptr<DeviceData> device_data, const passes::Options& options,
                   int64_t most_tasks = kMostTasks);

  void set_theta(const Tensor& flat) override;
  // Allocates where it is another number of tasks than the last time.
  int64_t prepare(int64_t tasks) override;
  // Asks before each batch.
  bool run(const data::TaskKey& key, const comm::Range& slots,
           const std::function<bool()>& cancelled, EvaluationResult& result) override;

 private:
  // Waits for the tasks that were launched: those from `first` on.
  void take(int64_t first, int64_t end, EvaluationResult& result) const;

  std::shared_ptr<const data::TaskFamily> family_;
  DeviceState state_;
  DevicePlan plan_;
  int64_t most_tasks_;
  std::optional<DeviceBatch> batch_;
  // Of the batch, by step.
  std::vector<std::span<const float>> losses_;
  std::vector<std::span<const float>> accuracies_;  // of classification
};

}  // namespace outerloop::train
