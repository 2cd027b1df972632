#include "exec/cuda/nvrtc.h"

#include <fmt/format.h>
#include <nvrtc.h>

#include <array>

#include "exec/cuda/checked.h"
#include "outerloop/base/shared_library.h"

namespace outerloop::exec::cuda {
namespace {

constexpr const char* kAdvice =
    "install the CUDA toolkit's NVRTC library (libnvrtc.so.12 or newer) and put its folder into "
    "LD_LIBRARY_PATH, or set runtime.device=cpu";

}  // namespace

#define OL_NVRTC_FUNCTIONS(X) \
  X(nvrtcVersion)             \
  X(nvrtcGetErrorString)      \
  X(nvrtcCreateProgram)       \
  X(nvrtcDestroyProgram)      \
  X(nvrtcCompileProgram)      \
  X(nvrtcGetProgramLogSize)   \
  X(nvrtcGetProgramLog)       \
  X(nvrtcGetCUBINSize)        \
  X(nvrtcGetCUBIN)

struct Nvrtc::Functions {
  SharedLibrary library{"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so",
                        "/usr/local/cuda/lib64/libnvrtc.so"};
#define OL_MEMBER(name) decltype(&::name) name = nullptr;
  OL_NVRTC_FUNCTIONS(OL_MEMBER)
#undef OL_MEMBER

  Functions() {
    if (!library.is_open()) {
      throw BadInput(
          fmt::format("GPU kernels are compiled by NVRTC, which was not found: {}", kAdvice));
    }
#define OL_LOAD(name) name = reinterpret_cast<decltype(&::name)>(library.symbol(#name, kAdvice));
    OL_NVRTC_FUNCTIONS(OL_LOAD)
#undef OL_LOAD
  }
};

#define OL_NVRTC(expression) OL_CHECKED(expression, functions_->nvrtcGetErrorString)

Nvrtc::Nvrtc() : functions_(std::make_unique<const Functions>()) {}
Nvrtc::~Nvrtc() = default;

std::string Nvrtc::version() const {
  int major = 0, minor = 0;
  OL_NVRTC(functions_->nvrtcVersion(&major, &minor));
  return fmt::format("{}.{}", major, minor);
}

CompiledKernels Nvrtc::compile(std::string_view prelude,
                               std::span<const KernelSource* const> kernels,
                               const std::string& architecture) const {
  std::string text(prelude);
  for (const KernelSource* kernel : kernels) text += kernel->text;
  const std::string name = kernels.empty() ? "nothing" : kernels.front()->name;
  nvrtcProgram program = nullptr;
  OL_NVRTC(functions_->nvrtcCreateProgram(&program, text.c_str(), (name + ".cu").c_str(), 0,
                                          nullptr, nullptr));
  const std::shared_ptr<void> owner(nullptr,
                                    [&](void*) { functions_->nvrtcDestroyProgram(&program); });
  // Arithmetic is spelled out; these keep the compiler from changing it all the same.
  const std::string arch = "--gpu-architecture=" + architecture;
  const std::array<const char*, 8> options{
      arch.c_str(),      "--std=c++17",      "--fmad=false", "--ftz=false",
      "--prec-div=true", "--prec-sqrt=true", "-Xptxas",      "-v"};
  const nvrtcResult result =
      functions_->nvrtcCompileProgram(program, static_cast<int>(options.size()), options.data());
  CompiledKernels compiled;
  size_t bytes = 0;
  OL_NVRTC(functions_->nvrtcGetProgramLogSize(program, &bytes));
  compiled.report.resize(bytes);
  OL_NVRTC(functions_->nvrtcGetProgramLog(program, compiled.report.data()));
  if (result != NVRTC_SUCCESS) {
    throw CudaFailure(
        fmt::format("NVRTC {} does not compile {}: {}", version(), name, compiled.report));
  }
  OL_NVRTC(functions_->nvrtcGetCUBINSize(program, &bytes));
  compiled.cubin.resize(bytes);
  OL_NVRTC(functions_->nvrtcGetCUBIN(program, compiled.cubin.data()));
  return compiled;
}

}  // namespace outerloop::exec::cuda
