#pragma once
// The data sets that tasks are made of, on a device: sent up once, for all trainings and
// evaluations there that share this.

#include <map>
#include <memory>
#include <vector>

#include "outerloop/data/family.h"
#include "outerloop/exec/cuda_images.h"

namespace outerloop::train {

class DeviceData {
 public:
  explicit DeviceData(std::shared_ptr<exec::Device> device) : device_(std::move(device)) {}

  // Where the family's drawing has its arrays; waits for those that are new.
  data::DeviceDrawing drawing(const std::shared_ptr<const data::TaskFamily>& family);
  // What tasks of the family are made of, where they are images, else null.
  std::shared_ptr<exec::cuda::Images> images(const data::TaskFamily& family);

 private:
  const std::byte* place(std::span<const std::byte> bytes);

  std::shared_ptr<exec::Device> device_;
  std::vector<std::shared_ptr<const data::TaskFamily>> families_;  // whose arrays these are
  std::map<const std::byte*, exec::DeviceMemory> arrays_;
  std::map<const uint8_t*, std::shared_ptr<exec::cuda::Images>> images_;
};

}  // namespace outerloop::train
