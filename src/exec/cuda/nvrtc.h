#pragma once
// The compiler of the GPU, loaded when it is needed. Thread-safe.

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "exec/cuda/cuda_version.h"
#include "outerloop/exec/device.h"

namespace outerloop::exec::cuda {

inline constexpr const char* kNvrtcAdvice =
    "install the CUDA toolkit's NVRTC library (libnvrtc.so.12 or newer) and put its folder into "
    "LD_LIBRARY_PATH, or set runtime.device=cpu";

// What PTX is written in at most, and the oldest driver that reads it: of CUDA 12.8 (NVIDIA's "PTX
// ISA" has the table in its release notes).
inline constexpr int kPtxMajor = 8, kPtxMinor = 7;
inline constexpr int kPtxDriver = 12080;

// Machine code, and what the compiler says about each kernel: registers, spills, memory.
struct CompiledKernels {
  std::string cubin;
  std::string report;
};

class Nvrtc {
 public:
  // For code that a driver of CUDA `newest_major` loads: that of a later toolkit it does not.
  // Throws BadInput where the library is missing, does not load, or is later.
  explicit Nvrtc(int newest_major = kNewestMajor);
  ~Nvrtc();

  // "13.0"
  std::string version() const;
  // Whether it makes code for GPUs of this architecture, "sm_90".
  bool knows(const std::string& architecture) const;
  // For `architecture`, "sm_90". Several kernels at a time share the cost of the prelude. Throws
  // SystemFailure with the compiler's words: generated text compiles unless the compiler is broken.
  CompiledKernels compile(std::string_view prelude, std::span<const KernelSource* const> kernels,
                          const std::string& architecture) const;
  // One kernel for the driver's linker. `architecture` is a virtual one, "compute_80".
  std::string ptx(std::string_view prelude, const KernelSource& kernel,
                  const std::string& architecture) const;

 private:
  struct Functions;
  struct Compiled;
  Compiled run(std::string_view prelude, std::span<const KernelSource* const> kernels,
               const std::string& architecture) const;

  std::unique_ptr<const Functions> functions_;
};

}  // namespace outerloop::exec::cuda
