#include "exec/cuda/driver.h"

#include <fmt/format.h>

#include "outerloop/base/error.h"

namespace outerloop::exec::cuda {
namespace {

constexpr const char* kDriverAdvice =
    "install an NVIDIA driver for CUDA 12.8 or newer (nvidia-smi shows it), or set "
    "runtime.device=cpu";

}  // namespace

// The header's names are macros: spelled out, they are those of the library.
#define OL_TEXT(name) #name
#define OL_LOAD(name) \
  name = reinterpret_cast<decltype(name)>(library.symbol(OL_TEXT(name), kDriverAdvice));

Driver::Driver() : library({"libcuda.so.1", "libcuda.so"}) {
  if (!library.is_open()) {
    const std::string why = fmt::format("({}): {}", library.why_not(), kDriverAdvice);
    if (library.was_found()) throw BadInput("the NVIDIA driver cannot be loaded " + why);
    throw NoGpu("there is no NVIDIA driver " + why);
  }
  OL_DRIVER_FUNCTIONS(OL_LOAD)
  uuid_of_whole =
      reinterpret_cast<decltype(uuid_of_whole)>(library.symbol("cuDeviceGetUuid", kDriverAdvice));
  if (const CUresult result = cuInit(0); result != CUDA_SUCCESS) {
    const std::string why = fmt::format("{}: {}", describe(result), kDriverAdvice);
    if (result == CUDA_ERROR_NO_DEVICE) throw NoGpu("the NVIDIA driver finds no GPU, " + why);
    throw BadInput("the NVIDIA driver does not start, " + why);
  }
}

std::string Driver::describe(CUresult result) const {
  const char* name = nullptr;
  const char* words = nullptr;
  cuGetErrorName(result, &name);
  cuGetErrorString(result, &words);
  return fmt::format("{} ({})", name == nullptr ? "unknown error" : name,
                     words == nullptr ? std::to_string(result) : words);
}

}  // namespace outerloop::exec::cuda
