#include "exec/cuda/source_parts.h"
#include "outerloop/base/error.h"
#include "outerloop/exec/cuda_lane_kernel.h"

namespace outerloop::exec::cuda {

struct LaneKernel::Impl {
  std::shared_ptr<Device> device;
  KernelCode code;
  DeviceFunction function;
};

LaneKernel::LaneKernel(std::shared_ptr<Device> device, const LaneKernelText& text)
    : impl_(std::make_unique<Impl>()) {
  impl_->code = {.run = text.definitions + run_head(text.operands) + text.statement + "\n}\n",
                 .kind = text.kind,
                 .operands = text.operands,
                 .threads = text.threads,
                 .blocks = 1,
                 .scratch_bytes = text.scratch_bytes};
  const KernelSource source = kernel_source(impl_->code);
  impl_->function = device->compile(device_prelude(), {&source, 1}).front();
  impl_->device = std::move(device);
}
LaneKernel::~LaneKernel() = default;

void LaneKernel::run(const DeviceStream& stream, int64_t lanes,
                     std::span<const DeviceOperand> operands) {
  OL_ASSERT(static_cast<int>(operands.size()) == impl_->code.operands,
            "operands of another kernel");
  impl_->device->launch(stream, impl_->function, lanes, impl_->code.threads, operands);
}

}  // namespace outerloop::exec::cuda
