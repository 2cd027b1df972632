#pragma once
// The compiler of the GPU, loaded when it is needed. Thread-safe.

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "outerloop/exec/device.h"

namespace outerloop::exec::cuda {

// Machine code, and what the compiler says about each kernel: registers, spills, memory.
struct CompiledKernels {
  std::string cubin;
  std::string report;
};

class Nvrtc {
 public:
  // Throws BadInput where the library is missing.
  Nvrtc();
  ~Nvrtc();

  // "13.0"
  std::string version() const;
  // For `architecture`, "sm_90". Several kernels at a time share the cost of the prelude. Throws
  // SystemFailure with the compiler's words: generated text compiles unless the compiler is broken.
  CompiledKernels compile(std::string_view prelude, std::span<const KernelSource* const> kernels,
                          const std::string& architecture) const;

 private:
  struct Functions;
  std::unique_ptr<const Functions> functions_;
};

}  // namespace outerloop::exec::cuda
