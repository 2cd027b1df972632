#pragma once
// A program of which all lanes lie in device memory, for tests of how it is launched.

#include <vector>

#include "outerloop/exec/cuda.h"

namespace outerloop::testing_support {

constexpr size_t kLanes = 2;

class BoundLanes {
 public:
  BoundLanes(std::shared_ptr<exec::Device> device, const Program& program, exec::cuda::Steps steps)
      : device_(device),
        program_(program),
        executable_(exec::cuda::Executable::compile(program, device, {}, steps)),
        lanes_(executable_, kLanes),
        stream_(device->make_stream()) {
    for (size_t o = 0; o < program.outputs.size(); ++o) {
      const size_t bytes = program.type(program.outputs[o].value).bytes();
      outputs_.push_back(device->allocate(bytes * kLanes));
      lanes_.bind_output(static_cast<int>(o), outputs_[o].data, static_cast<int64_t>(bytes));
    }
    for (size_t i = 0; i < program.inputs.size(); ++i) {
      const size_t bytes = program.type(program.inputs[i].value).bytes();
      inputs_.push_back(device->allocate(bytes * kLanes));
      lanes_.bind_input(static_cast<int>(i), inputs_[i].data, static_cast<int64_t>(bytes));
    }
  }

  void give(size_t lane, const std::vector<Tensor>& values) {
    for (size_t i = 0; i < values.size(); ++i) {
      const bool shared = program_.inputs[i].binding == Binding::shared;
      if (shared && lane > 0) continue;
      device_->upload(stream_, inputs_[i].data + lane * values[i].bytes(),
                      {values[i].data(), values[i].bytes()});
    }
  }
  std::vector<Tensor> results(size_t lane) {
    std::vector<Tensor> tensors;
    for (size_t o = 0; o < outputs_.size(); ++o) {
      const TensorType& type = program_.type(program_.outputs[o].value);
      Tensor& tensor = tensors.emplace_back(type.dtype, type.shape);
      device_->download(stream_, {tensor.data(), tensor.bytes()},
                        outputs_[o].data + lane * type.bytes());
    }
    device_->synchronize(stream_);
    return tensors;
  }
  // The same, as if nothing had run.
  void forget() {
    for (const exec::DeviceMemory& memory : outputs_) {
      const std::vector<std::byte> other(memory.bytes, std::byte{0x11});
      device_->upload(stream_, memory.data, other);
      device_->synchronize(stream_);
    }
  }

  exec::cuda::Lanes& lanes() { return lanes_; }
  const exec::DeviceStream& stream() const { return stream_; }
  const exec::cuda::Executable& executable() const { return *executable_; }

 private:
  std::shared_ptr<exec::Device> device_;
  const Program& program_;
  std::shared_ptr<const exec::cuda::Executable> executable_;
  exec::cuda::Lanes lanes_;
  exec::DeviceStream stream_;
  std::vector<exec::DeviceMemory> inputs_, outputs_;
};

}  // namespace outerloop::testing_support
