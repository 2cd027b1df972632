#include "exec/cuda/ptx_linker.h"

#include <fmt/format.h>

#include <array>

#include "exec/cuda/cuda_version.h"
#include "exec/cuda/nvrtc.h"

namespace outerloop::exec::cuda {
namespace {

#define OL_CUDA(expression) \
  OL_CHECKED(expression, [this](CUresult failure) { return driver_.describe(failure); })

constexpr const char* kNoAssembler =
    "the driver is here without its libnvidia-ptxjitcompiler.so.1, which assembles kernels: "
    "install "
    "all of the driver, start a container with NVIDIA_DRIVER_CAPABILITIES=compute,utility, or set "
    "runtime.device=cpu";

}  // namespace

PtxLinker::PtxLinker(const Driver& driver, void* context, const Architecture& architecture,
                     const std::filesystem::path& pack)
    : driver_(driver),
      context_(static_cast<CUcontext>(context)),
      pack_(pack),
      about_{.name = fmt::format("the {} kernels of {}", pack_.size(), pack.string()),
             .takes_any = false} {
  OL_CUDA(driver_.cuDriverGetVersion(&driver_version_));
  if (driver_version_ < kPtxDriver) {
    throw BadInput(fmt::format(
        "the driver is of CUDA {}, and the kernels of {} need one of CUDA {} or newer: install it, "
        "or set runtime.device=cpu",
        cuda_version(driver_version_), pack.string(), cuda_version(kPtxDriver)));
  }
  if (architecture.major < kPackMajor) {
    throw BadInput(fmt::format(
        "the GPU has compute capability {}.{}, and the kernels of {} need {}.0 or newer: {}",
        architecture.major, architecture.minor, pack.string(), kPackMajor, kNvrtcAdvice));
  }
}

std::string PtxLinker::name() const {
  const std::string& compiler = pack_.compiler();
  return fmt::format("driver{}-{}", cuda_version(driver_version_),
                     compiler.substr(0, compiler.rfind('-')));
}

void PtxLinker::prepare(std::string_view prelude, std::span<const KernelSource* const> kernels) {
  if (!pack_.compiler().ends_with("-" + hash_of_prelude(prelude))) {
    throw BadInput(fmt::format("{} has the kernels of another build of this program: {}",
                               pack_.file().string(), kNvrtcAdvice));
  }
  if (!kernels_) kernels_ = pack_.kernels();
  size_t missing = 0;
  std::string first;
  for (const KernelSource* kernel : kernels) {
    if (kernels_->contains(kernel->name)) continue;
    if (missing++ == 0) first = kernel->name;
  }
  if (missing == 0) return;
  throw BadInput(
      fmt::format("{} of {} kernels are not in {}, {} the first of them: it has those of the "
                  "shipped configs with the sizes that they give; for others {}",
                  missing, kernels.size(), pack_.file().string(), first, kNvrtcAdvice));
}

std::string PtxLinker::make(std::string_view, const KernelSource& kernel) const {
  OL_CUDA(driver_.cuCtxSetCurrent(context_));  // of the calling thread
  std::array<char, 4096> log{};
  std::array options{CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  std::array<void*, 2> values{log.data(), reinterpret_cast<void*>(log.size())};
  CUlinkState state = nullptr;
  const std::shared_ptr<void> owner(nullptr, [&](void*) {
    if (state != nullptr) driver_.cuLinkDestroy(state);
  });
  const auto describe = [&](CUresult failure) {
    if (failure == CUDA_ERROR_JIT_COMPILER_NOT_FOUND) throw BadInput(kNoAssembler);
    return fmt::format("{}, kernel {}: {}", driver_.describe(failure), kernel.name, log.data());
  };
  OL_CHECKED(driver_.cuLinkCreate(options.size(), options.data(), values.data(), &state), describe);
  std::string ptx = kernels_->find(kernel.name)->second;
  OL_CHECKED(driver_.cuLinkAddData(state, CU_JIT_INPUT_PTX, ptx.data(), ptx.size() + 1,
                                   kernel.name.c_str(), 0, nullptr, nullptr),
             describe);
  void* cubin = nullptr;
  size_t bytes = 0;
  OL_CHECKED(driver_.cuLinkComplete(state, &cubin, &bytes), describe);
  return {static_cast<const char*>(cubin), bytes};  // the state's until then
}

}  // namespace outerloop::exec::cuda
