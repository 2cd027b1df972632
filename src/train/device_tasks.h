#pragma once
// How a device draws the tasks of a family, all of them side by side.

#include <array>
#include <memory>

#include "outerloop/exec/cuda_lane_kernel.h"
#include "train/device_data.h"

namespace outerloop::train {

class DeviceTasks {
 public:
  // Throws BadInput for a family that is drawn on the host alone.
  DeviceTasks(const std::shared_ptr<exec::Device>& device, DeviceData& device_data,
              const std::shared_ptr<const data::TaskFamily>& family);

  const data::TaskFamily& family() const { return *family_; }
  // What tasks are made of, where they are images; else null.
  exec::cuda::Images* images() const { return images_.get(); }

  static constexpr auto kOperands = static_cast<size_t>(data::DrawingOperand::count);
  using Operands = std::array<exec::DeviceOperand, kOperands>;
  static exec::DeviceOperand& at(Operands& operands, data::DrawingOperand which) {
    return operands.at(static_cast<size_t>(which));
  }
  // Draws as many tasks. The parameters are here. Can be recorded.
  void draw(const exec::DeviceStream& stream, int64_t tasks, Operands operands);

 private:
  DeviceTasks(const std::shared_ptr<exec::Device>& device, DeviceData& device_data,
              const std::shared_ptr<const data::TaskFamily>& family,
              const data::DeviceDrawing& drawing);

  std::shared_ptr<const data::TaskFamily> family_;
  std::shared_ptr<exec::cuda::Images> images_;
  exec::cuda::LaneKernel kernel_;
  exec::DeviceMemory parameters_;
};

}  // namespace outerloop::train
