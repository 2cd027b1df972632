#include "exec/cuda/nvrtc.h"

#include <fmt/format.h>
#include <nvrtc.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "exec/cuda/checked.h"
#include "outerloop/base/shared_library.h"

namespace outerloop::exec::cuda {
#define OL_NVRTC_FUNCTIONS(X)  \
  X(nvrtcVersion)              \
  X(nvrtcGetErrorString)       \
  X(nvrtcGetNumSupportedArchs) \
  X(nvrtcGetSupportedArchs)    \
  X(nvrtcCreateProgram)        \
  X(nvrtcDestroyProgram)       \
  X(nvrtcCompileProgram)       \
  X(nvrtcGetProgramLogSize)    \
  X(nvrtcGetProgramLog)        \
  X(nvrtcGetCUBINSize)         \
  X(nvrtcGetCUBIN)             \
  X(nvrtcGetPTXSize)           \
  X(nvrtcGetPTX)

struct Nvrtc::Functions {
  SharedLibrary library;
#define OL_MEMBER(name) decltype(&::name) name = nullptr;
  OL_NVRTC_FUNCTIONS(OL_MEMBER)
#undef OL_MEMBER

  explicit Functions(int newest_major) : library(library_names("nvrtc", newest_major)) {
    if (!library.is_open()) {
      throw BadInput(
          fmt::format("GPU kernels are compiled by NVRTC, which cannot be loaded ({}): {}",
                      library.why_not(), kNvrtcAdvice));
    }
#define OL_LOAD(name) \
  name = reinterpret_cast<decltype(&::name)>(library.symbol(#name, kNvrtcAdvice));
    OL_NVRTC_FUNCTIONS(OL_LOAD)
#undef OL_LOAD
  }
};

#define OL_NVRTC(expression) OL_CHECKED(expression, functions_->nvrtcGetErrorString)

namespace {

// NVRTC writes its toolkit's ISA, which older drivers refuse unread. Kernels use nothing new: one
// that did would not be assembled under an older number.
std::string in_known_isa(std::string ptx) {
  constexpr std::string_view kDirective = ".version ";
  const size_t at = ptx.find(kDirective) + kDirective.size();
  const size_t point = ptx.find('.', at), end = ptx.find('\n', at);
  const std::pair isa(std::stoi(ptx.substr(at)), std::stoi(ptx.substr(point + 1)));
  if (isa > std::pair(kPtxMajor, kPtxMinor)) {
    ptx.replace(at, end - at, fmt::format("{}.{}", kPtxMajor, kPtxMinor));
  }
  return ptx;
}

}  // namespace

Nvrtc::Nvrtc(int newest_major) : functions_(std::make_unique<const Functions>(newest_major)) {
  int major = 0, minor = 0;
  OL_NVRTC(functions_->nvrtcVersion(&major, &minor));
  if (major > newest_major) {
    throw BadInput(
        fmt::format("NVRTC {}.{} makes code that this driver, of CUDA {}, does not load: install a "
                    "newer driver or NVRTC {}, or set runtime.device=cpu",
                    major, minor, newest_major, newest_major));
  }
}
Nvrtc::~Nvrtc() = default;

std::string Nvrtc::version() const {
  int major = 0, minor = 0;
  OL_NVRTC(functions_->nvrtcVersion(&major, &minor));
  return fmt::format("{}.{}", major, minor);
}

bool Nvrtc::knows(const std::string& architecture) const {
  int count = 0;
  OL_NVRTC(functions_->nvrtcGetNumSupportedArchs(&count));
  std::vector<int> known(static_cast<size_t>(count));
  OL_NVRTC(functions_->nvrtcGetSupportedArchs(known.data()));
  return std::ranges::any_of(known, [&](int number) {  // 90 of "sm_90"
    return architecture == fmt::format("sm_{}", number);
  });
}

// A program that was compiled, and what the compiler says.
struct Nvrtc::Compiled {
  std::shared_ptr<void> program;
  std::string report;
  nvrtcProgram get() const { return static_cast<nvrtcProgram>(program.get()); }
};

Nvrtc::Compiled Nvrtc::run(std::string_view prelude, std::span<const KernelSource* const> kernels,
                           const std::string& architecture) const {
  std::string text(prelude);
  for (const KernelSource* kernel : kernels) text += kernel->text;
  const std::string name = kernels.empty() ? "nothing" : kernels.front()->name;
  nvrtcProgram program = nullptr;
  OL_NVRTC(functions_->nvrtcCreateProgram(&program, text.c_str(), (name + ".cu").c_str(), 0,
                                          nullptr, nullptr));
  Compiled compiled{{program,
                     [this](void* p) {
                       auto* mine = static_cast<nvrtcProgram>(p);
                       functions_->nvrtcDestroyProgram(&mine);
                     }},
                    ""};
  // Arithmetic is spelled out; these keep the compiler from changing it all the same.
  const std::string arch = "--gpu-architecture=" + architecture;
  const std::array<const char*, 8> options{
      arch.c_str(),      "--std=c++17",      "--fmad=false", "--ftz=false",
      "--prec-div=true", "--prec-sqrt=true", "-Xptxas",      "-v"};
  const nvrtcResult result =
      functions_->nvrtcCompileProgram(program, static_cast<int>(options.size()), options.data());
  size_t bytes = 0;
  OL_NVRTC(functions_->nvrtcGetProgramLogSize(program, &bytes));
  compiled.report.resize(bytes);
  OL_NVRTC(functions_->nvrtcGetProgramLog(program, compiled.report.data()));
  if (result != NVRTC_SUCCESS) {
    throw CudaFailure(
        fmt::format("NVRTC {} does not compile {}: {}", version(), name, compiled.report));
  }
  return compiled;
}

CompiledKernels Nvrtc::compile(std::string_view prelude,
                               std::span<const KernelSource* const> kernels,
                               const std::string& architecture) const {
  Compiled compiled = run(prelude, kernels, architecture);
  size_t bytes = 0;
  OL_NVRTC(functions_->nvrtcGetCUBINSize(compiled.get(), &bytes));
  std::string cubin(bytes, '\0');
  OL_NVRTC(functions_->nvrtcGetCUBIN(compiled.get(), cubin.data()));
  return {std::move(cubin), std::move(compiled.report)};
}

std::string Nvrtc::ptx(std::string_view prelude, const KernelSource& kernel,
                       const std::string& architecture) const {
  const KernelSource* one = &kernel;
  const Compiled compiled = run(prelude, {&one, 1}, architecture);
  size_t bytes = 0;
  OL_NVRTC(functions_->nvrtcGetPTXSize(compiled.get(), &bytes));
  std::string text(bytes, '\0');
  OL_NVRTC(functions_->nvrtcGetPTX(compiled.get(), text.data()));
  text.resize(bytes - 1);  // without its zero
  return in_known_isa(std::move(text));
}

}  // namespace outerloop::exec::cuda
