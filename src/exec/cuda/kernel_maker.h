#pragma once
// What makes machine code of kernels: the compiler where it is installed, else the pack of a bundle
// and the driver's linker. And the one way to that code, which asks the disk first.

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "outerloop/exec/device.h"

namespace outerloop::exec::cuda {

struct Driver;

class KernelMaker {
 public:
  virtual ~KernelMaker() = default;

  virtual const DeviceCompiler& about() const = 0;
  // All that the code depends on beside the kernel, the prelude and the GPU: a part of file names.
  virtual std::string name() const = 0;
  // Of kernels that are to be made next. Throws BadInput where some cannot be.
  virtual void prepare(std::string_view prelude, std::span<const KernelSource* const> kernels) = 0;
  // Of one of them. Threads may call it side by side.
  virtual std::string make(std::string_view prelude, const KernelSource& kernel) const = 0;
};

// For a GPU of compute capability major.minor.
struct Architecture {
  int major = 0;
  int minor = 0;
  std::string name() const;  // "sm_90"
};

// For the GPU of this context (a CUcontext); the driver must outlive the maker. Throws BadInput
// where there is neither a compiler nor a pack that suits.
std::unique_ptr<KernelMaker> find_kernel_maker(const Driver& driver, void* context,
                                               const Architecture& architecture);

// From disk where it is there, else by the maker, on all cores. In the order of `kernels`.
std::vector<std::string> machine_code(KernelMaker& maker, const Architecture& architecture,
                                      std::string_view prelude,
                                      std::span<const KernelSource> kernels);

}  // namespace outerloop::exec::cuda
