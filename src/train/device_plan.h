#pragma once
// A plan compiled for a device, and what all its lanes read there.

#include <map>
#include <memory>
#include <vector>

#include "outerloop/exec/cuda.h"
#include "outerloop/ops/records.h"
#include "train/compiled_call.h"
#include "train/device_state.h"
#include "train/device_tasks.h"
#include "train/lane_plan.h"

namespace outerloop::train {

class DevicePlan {
 public:
  // One call: its executable, and the shared inputs by number.
  struct Call {
    std::shared_ptr<const exec::cuda::Executable> executable;
    std::vector<std::pair<int, std::byte*>> shared;
  };

  // The state must outlive the plan, and so must what the shared inputs point to. `device_data`:
  // what the device has already, or null.
  DevicePlan(LanePlan lane, const SharedInputs& shared,
             const std::shared_ptr<const data::TaskFamily>& family, const DeviceState& state,
             const passes::Options& options, std::shared_ptr<DeviceData> device_data = nullptr);

  // Copies the training's settings that have changed to the device.
  void refresh();

  exec::Device& device() const { return state_.device(); }
  const std::shared_ptr<exec::Device>& shared_device() const { return state_.shared_device(); }
  const exec::DeviceStream& stream() const { return state_.stream(); }
  const LanePlan& lane() const { return lane_; }
  const std::vector<Call>& calls() const { return calls_; }  // as lane().calls
  size_t launches() const;                                   // of kernels, for all lanes together
  size_t lane_bytes() const;                                 // working memory of a task
  size_t traffic_bytes() const;     // of a task: Executable::lane_traffic_bytes()
  size_t library_products() const;  // of the launches
  const Flops& flops() const { return flops_; }
  const std::shared_ptr<DeviceData>& device_data() const { return data_; }
  DeviceTasks& tasks() const { return *tasks_; }

 private:
  struct Copy {
    exec::DeviceMemory memory;
    std::span<const std::byte> source;
    std::vector<std::byte> known;  // what the device has
  };

  Call compile(const meta::Call& call, const SharedInputs& shared, const passes::Options& options);
  // Where the device has what the host has there.
  std::byte* place(std::span<const std::byte> source, std::map<const void*, Copy>& copies);

  void update(Copy& copy);

  const DeviceState& state_;
  LanePlan lane_;
  std::map<const Program*, std::shared_ptr<const exec::cuda::Executable>> known_;
  std::map<const void*, Copy> settings_, constants_;
  std::shared_ptr<DeviceData> data_;
  std::unique_ptr<DeviceTasks> tasks_;
  std::vector<Call> calls_;
  Flops flops_;
};

}  // namespace outerloop::train
