#pragma once
// One outer iteration on all threads: draw, adapt, meta-gradients, the fixed-order sum, the update.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "outerloop/base/thread_pool.h"
#include "outerloop/comm/device_ranks.h"
#include "outerloop/config/config.h"
#include "outerloop/data/family.h"
#include "outerloop/exec/device.h"
#include "outerloop/exec/executable.h"
#include "outerloop/meta/learner.h"
#include "outerloop/ops/records.h"
#include "outerloop/optim/outer.h"
#include "outerloop/train/theta.h"

namespace outerloop::train {

class DeviceData;

struct MetaStepResult {
  double loss = 0;      // mean over the slots with finite results, in slot order
  double accuracy = 0;  // the same; see has_accuracy()
  // Slots left out: their loss or gradient is not finite. All of them where the sum of their
  // gradients or the update is not; then theta and the optimiser's state stay as they are.
  int64_t nonfinite = 0;
  // Means as of loss, by the learner's measures. Valid until the next run.
  std::span<const double> measures;
};

// 32-bit hashes of a step, for telling where two courses of one training part.
struct StepHashes {
  // Of each slot's gradient; of all ranks. 0 where it is left out: what is not a number has other
  // bits on other processors.
  std::vector<uint32_t> slots;
  // Of each parameter's gradients, all slots that count together: the sum over the ranks is the
  // step's.
  std::vector<uint32_t> gradients;
  std::vector<uint32_t> state;  // of each parameter and its optimiser state after the update
};

// One task computed by itself.
struct SlotReplay {
  float loss = 0;
  bool finite = false;
  uint32_t hash = 0;                // as StepHashes::slots
  std::vector<uint32_t> gradients;  // of each parameter's gradient; zeros where it is left out
};

// For tests that play a failing machine: may change a part of a task's gradient, from element
// `first` on, when it has been computed.
using GradientHook =
    std::function<void(int64_t iteration, int64_t slot, int64_t first, std::span<float> part)>;

// Where the time of meta-steps went, summed over calls of run() that asked for it. Seconds of the
// busiest thread.
struct MetaStepTimes {
  double draw = 0;  // 0 where a device draws, as part of what it computes
  // Each thread's own sums included; all of what a device does without the host.
  double compute = 0;
  // What remains of the sum over the ranks when this one's slots are done, waiting for slower ranks
  // included; nothing on one rank.
  double reduce = 0;
  // One rank: the rest of the tree too.
  double update = 0;
  double total = 0;
};

// What a MetaStep would hold and do, by its plans alone.
struct MetaStepForecast {
  double flops_per_task = 0;
  size_t kernel_calls_per_task = 0;
  size_t lane_bytes = 0;    // arena of one thread
  size_t buffer_bytes = 0;  // as MetaStep::buffer_bytes()
};
// Compiles, and allocates nothing that grows with the sizes of the config.
MetaStepForecast forecast_meta_step(const config::Config& config, const meta::Learner& learner,
                                    const meta::TaskShape& shape, const data::TaskFamily& family,
                                    int64_t threads, const exec::CompileOptions& options = {});

// The slots are dealt to the ranks (null: this process alone) and their threads, or the device of
// each rank; every rank gets the same results, state and bits. run() is collective. Several ranks
// with devices need `device_ranks`, which must outlive the step.
class MetaStep {
 public:
  MetaStep(const config::Config& config, const meta::Learner& learner, const meta::TaskShape& shape,
           const std::shared_ptr<const data::TaskFamily>& family, ThreadPool& pool,
           const exec::CompileOptions& options = {}, comm::Communicator* ranks = nullptr,
           const std::shared_ptr<exec::Device>& device = nullptr,
           comm::DeviceRanks* device_ranks = nullptr);
  ~MetaStep();

  const optim::ThetaLayout& layout() const;
  const OuterState& state() const;
  // Copies; sizes must fit.
  void set_state(const OuterState& state);

  // Whether results have an accuracy: classification, unless the learner does not answer queries in
  // training (reptile).
  bool has_accuracy() const;
  // With runtime.self_check a slot is computed on a second rank too: throws comm::AgreedFailure on
  // all ranks, before the update, when the bits differ.
  MetaStepResult run(int64_t iteration, MetaStepTimes* times = nullptr);
  // The same for `count` iterations. A device computes them without the host where it can: then
  // `told` hears of the first when many are done, and the state is already theirs. Of the last one
  // it hears when the state is its own.
  using Told = std::function<void(int64_t iteration, const MetaStepResult& result)>;
  void run(int64_t first, int64_t count, const Told& told, MetaStepTimes* times = nullptr);
  // Iterations that a device computes without the host at most; 1 where the host takes part in
  // each. Collective, as run().
  int64_t most_at_once() const;
  const StepHashes& hashes() const;  // of the last run, or of the iteration that is told of

  // A task that run(iteration) would have with the state as it is. Not collective.
  SlotReplay recompute(int64_t iteration, int64_t slot);
  void set_gradient_hook(const GradientHook& hook);

  // What the device has of the tasks' data set; null where there is none.
  std::shared_ptr<DeviceData> device_data() const;

  Flops flops_per_task() const;  // counted from the op records
  size_t kernel_calls_per_task() const;
  size_t planned_lane_bytes() const;
  // Of a device: exec::cuda::Executable::lane_traffic_bytes() of a task's kernels. Else 0.
  size_t device_traffic_bytes() const;
  size_t library_products() const;  // the same: of a task's launches
  // All threads: arenas, episodes, states, gradients, partial sums, the update's results. With a
  // device: all that it holds for this process (Device::held_bytes()), and nothing of the host:
  // neither pinned memory nor that through which ranks send what has no other way.
  size_t buffer_bytes() const;
  // Kernel times of one task on the calling thread.
  std::vector<exec::StepTime> profile(int64_t iteration, int repeats);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace outerloop::train
