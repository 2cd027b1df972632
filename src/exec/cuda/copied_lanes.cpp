// Lanes between host and device.

#include <fmt/format.h>

#include "outerloop/base/error.h"
#include "outerloop/exec/cuda.h"

namespace outerloop::exec::cuda {

struct CopiedLanes::Impl {
  // Of one input or output, all lanes.
  struct Side {
    TensorType type;
    DeviceMemory memory;
    std::byte* of(size_t lane) const { return memory.data + lane * type.bytes(); }
  };

  Impl(std::shared_ptr<const Executable> e, std::shared_ptr<Device> d, int64_t n)
      : executable(std::move(e)),
        device(std::move(d)),
        count(static_cast<size_t>(n)),
        lanes(executable, n),
        stream(device->make_stream()) {
    const Program& program = executable->optimised();
    for (size_t i = 0; i < program.inputs.size(); ++i) {
      const Side& side = inputs.emplace_back(make(program.type(program.inputs[i].value)));
      lanes.bind_input(static_cast<int>(i), side.memory.data, stride(side));
    }
    for (size_t o = 0; o < program.outputs.size(); ++o) {
      const Side& side = outputs.emplace_back(make(program.type(program.outputs[o].value)));
      lanes.bind_output(static_cast<int>(o), side.memory.data, stride(side));
    }
  }

  Side make(const TensorType& type) const { return {type, device->allocate(type.bytes() * count)}; }
  static int64_t stride(const Side& side) { return static_cast<int64_t>(side.type.bytes()); }

  void give(size_t lane, const std::vector<Tensor>& tensors) {
    OL_ASSERT(tensors.size() == inputs.size(),
              fmt::format("{} tensors for {} inputs", tensors.size(), inputs.size()));
    for (size_t i = 0; i < inputs.size(); ++i) {
      OL_ASSERT(tensors[i].bytes() == inputs[i].type.bytes(),
                fmt::format("{} bytes for an input of {}", tensors[i].bytes(),
                            to_string(inputs[i].type)));
      device->upload(stream, inputs[i].of(lane), {tensors[i].data(), tensors[i].bytes()});
    }
  }
  std::vector<Tensor> take(size_t lane) {
    std::vector<Tensor> tensors;
    for (const Side& side : outputs) {
      Tensor& tensor = tensors.emplace_back(side.type.dtype, side.type.shape);
      device->download(stream, {tensor.data(), tensor.bytes()}, side.of(lane));
    }
    return tensors;
  }

  std::shared_ptr<const Executable> executable;
  std::shared_ptr<Device> device;
  size_t count;
  Lanes lanes;
  DeviceStream stream;
  std::vector<Side> inputs, outputs;
};

CopiedLanes::CopiedLanes(const std::shared_ptr<const Executable>& executable, int64_t count)
    : impl_(std::make_unique<Impl>(executable, executable->device(), count)) {}
CopiedLanes::~CopiedLanes() = default;
CopiedLanes::CopiedLanes(CopiedLanes&&) noexcept = default;

std::vector<std::vector<Tensor>> CopiedLanes::run(
    const std::vector<std::vector<Tensor>>& lane_inputs) {
  OL_ASSERT(lane_inputs.size() == impl_->count,
            fmt::format("inputs of {} lanes for {}", lane_inputs.size(), impl_->count));
  for (size_t lane = 0; lane < impl_->count; ++lane) impl_->give(lane, lane_inputs[lane]);
  impl_->lanes.run(impl_->stream);
  std::vector<std::vector<Tensor>> outputs;
  for (size_t lane = 0; lane < impl_->count; ++lane) outputs.push_back(impl_->take(lane));
  impl_->device->synchronize(impl_->stream);
  return outputs;
}

std::vector<std::vector<Tensor>> run_once(const std::shared_ptr<const Executable>& executable,
                                          const std::vector<std::vector<Tensor>>& lane_inputs) {
  return CopiedLanes(executable, static_cast<int64_t>(lane_inputs.size())).run(lane_inputs);
}

}  // namespace outerloop::exec::cuda
