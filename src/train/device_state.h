#pragma once
// Theta and the optimiser's state side by side on a device, where a training changes them. The host
// has a copy for who asks: checkpoints, evaluations, other ranks.

#include <memory>

#include "outerloop/exec/device.h"
#include "outerloop/train/theta.h"

namespace outerloop::train {

class DeviceState {
 public:
  DeviceState(std::shared_ptr<exec::Device> device, OuterState start);

  exec::Device& device() const { return *device_; }
  const std::shared_ptr<exec::Device>& shared_device() const { return device_; }
  // Of all that a training does on the device.
  const exec::DeviceStream& stream() const { return stream_; }

  // (vectors, elements): theta, then the optimiser's by OuterState::optimizer.
  std::byte* data() const { return memory_.data; }
  size_t vectors() const { return 1 + host_.optimizer.size(); }
  size_t vector_bytes() const { return host_.theta.bytes(); }
  size_t bytes() const { return memory_.bytes; }
  // Where the host's theta lies, now and later.
  const Tensor& host_theta() const { return host_.theta; }

  int64_t updates() const { return host_.updates; }
  // The device has made so many updates more.
  void count_updates(int64_t more);

  // Copies back what updates have changed since the last time, and waits for it.
  const OuterState& on_host();
  void set(const OuterState& state);

 private:
  // Calls work(tensor, place on the device) for each vector.
  template <class Work>
  void each(Work work);

  std::shared_ptr<exec::Device> device_;
  exec::DeviceStream stream_;
  OuterState host_;
  exec::DeviceMemory memory_;
  bool host_is_old_ = false;
};

}  // namespace outerloop::train
