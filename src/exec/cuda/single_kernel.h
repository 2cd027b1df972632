#pragma once
// A kernel that is compiled and launched by itself, not as a part of a program.

#include <memory>
#include <span>

#include "exec/cuda/source.h"

namespace outerloop::exec::cuda {

class SingleKernel {
 public:
  SingleKernel(std::shared_ptr<Device> device, const KernelCode& code);

  // `lanes` times the blocks that the code is for.
  void run(const DeviceStream& stream, int64_t lanes,
           std::span<const DeviceOperand> operands) const;
  // So many blocks.
  void run_blocks(const DeviceStream& stream, int64_t blocks,
                  std::span<const DeviceOperand> operands) const;

  Device& device() const { return *device_; }

 private:
  std::shared_ptr<Device> device_;
  int operands_;
  int threads_;
  int64_t blocks_;
  DeviceFunction function_;
};

}  // namespace outerloop::exec::cuda
