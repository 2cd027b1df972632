#pragma once
// A kernel whose text is not this module's: one block for each lane.

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "outerloop/exec/device.h"

namespace outerloop::exec::cuda {

// CUDA C++, after the text that all kernels share.
struct LaneKernelText {
  std::string_view kind;  // in the kernel's name
  std::string definitions;
  // A statement of a lane's block. `p`, a const ol::Pointers<operands>&, has the lane's operands,
  // and `scratch`, a char*, so many bytes of shared memory.
  std::string statement;
  int operands = 0;
  int threads = 0;
  int64_t scratch_bytes = 0;
};

class LaneKernel {
 public:
  LaneKernel(std::shared_ptr<Device> device, const LaneKernelText& text);
  ~LaneKernel();

  // Can be recorded.
  void run(const DeviceStream& stream, int64_t lanes, std::span<const DeviceOperand> operands);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace outerloop::exec::cuda
