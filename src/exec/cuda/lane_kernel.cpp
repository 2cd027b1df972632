#include "exec/cuda/single_kernel.h"
#include "exec/cuda/source_parts.h"
#include "outerloop/exec/cuda_lane_kernel.h"

namespace outerloop::exec::cuda {

struct LaneKernel::Impl {
  SingleKernel kernel;
};

LaneKernel::LaneKernel(std::shared_ptr<Device> device, const LaneKernelText& text)
    : impl_(std::make_unique<Impl>(SingleKernel(
          std::move(device),
          {.run = text.definitions + run_head(text.operands) + text.statement + "\n}\n",
           .kind = text.kind,
           .operands = text.operands,
           .threads = text.threads,
           .blocks = 1,
           .scratch_bytes = text.scratch_bytes}))) {}
LaneKernel::~LaneKernel() = default;

void LaneKernel::run(const DeviceStream& stream, int64_t lanes,
                     std::span<const DeviceOperand> operands) {
  impl_->kernel.run(stream, lanes, operands);
}

}  // namespace outerloop::exec::cuda
