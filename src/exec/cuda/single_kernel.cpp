#include "exec/cuda/single_kernel.h"

#include "outerloop/base/error.h"

namespace outerloop::exec::cuda {

SingleKernel::SingleKernel(std::shared_ptr<Device> device, const KernelCode& code)
    : device_(std::move(device)),
      operands_(code.operands),
      threads_(code.threads),
      blocks_(code.blocks) {
  const KernelSource source = kernel_source(code);
  function_ = device_->compile(device_prelude(), {&source, 1}).front();
}

void SingleKernel::run(const DeviceStream& stream, int64_t lanes,
                       std::span<const DeviceOperand> operands) const {
  run_blocks(stream, blocks_ * lanes, operands);
}

void SingleKernel::run_blocks(const DeviceStream& stream, int64_t blocks,
                              std::span<const DeviceOperand> operands) const {
  OL_ASSERT(operands.size() == static_cast<size_t>(operands_), "operands of another kernel");
  device_->launch(stream, function_, blocks, threads_, operands);
}

}  // namespace outerloop::exec::cuda
