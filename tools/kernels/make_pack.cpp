#include "kernels/make_pack.h"

#include <fmt/format.h>

#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

#include "exec/cuda/kernel_pack.h"
#include "exec/cuda/nvrtc.h"
#include "exec/cuda/source.h"
#include "kernels/ptx_check.h"
#include "outerloop/base/error.h"

namespace outerloop::kernels {
namespace {

using exec::cuda::PtxByName;

PtxByName known_kernels(const std::filesystem::path& file, const std::string& compiler) {
  try {
    const exec::cuda::KernelPack pack(file);
    if (pack.compiler() == compiler) return pack.kernels();
  } catch (const Error&) {  // none, or a damaged one: it is made anew
  }
  return {};
}

std::string ptx_of(const exec::cuda::Nvrtc& nvrtc, const Kernel& kernel) {
  std::string ptx =
      nvrtc.ptx(exec::cuda::device_prelude(), kernel.source, exec::cuda::kPackArchitecture);
  if (const std::string doubtful = doubtful_instruction(ptx); !doubtful.empty()) {
    throw SystemFailure(fmt::format(
        "{} of {}: its PTX has {}, which may give other bits under other drivers, or be unknown to "
        "them",
        kernel.source.name, kernel.origin, doubtful));
  }
  return ptx;
}

PtxByName compile(const exec::cuda::Nvrtc& nvrtc, const std::vector<const Kernel*>& kernels) {
  PtxByName made;
  std::exception_ptr failure;
  std::mutex mutex;
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t i = next++; i < kernels.size(); i = next++) {
      try {
        std::string ptx = ptx_of(nvrtc, *kernels[i]);
        const std::lock_guard lock(mutex);
        made.emplace(kernels[i]->source.name, std::move(ptx));
      } catch (...) {
        const std::lock_guard lock(mutex);
        failure = std::current_exception();
        next = kernels.size();
      }
    }
  };
  {
    std::vector<std::jthread> workers;
    for (unsigned i = 1; i < std::thread::hardware_concurrency(); ++i) workers.emplace_back(work);
    work();
  }
  if (failure != nullptr) std::rethrow_exception(failure);
  return made;
}

}  // namespace

PackReport make_pack(const std::filesystem::path& file, const KernelsByName& kernels) {
  const exec::cuda::Nvrtc nvrtc;
  const std::string compiler =
      exec::cuda::pack_compiler(nvrtc.version(), exec::cuda::device_prelude());
  PtxByName known = known_kernels(file, compiler);
  std::erase_if(known, [&](const auto& entry) { return !kernels.contains(entry.first); });
  std::vector<const Kernel*> missing;
  for (const auto& [name, kernel] : kernels) {
    if (!known.contains(name)) missing.push_back(&kernel);
  }
  known.merge(compile(nvrtc, missing));
  exec::cuda::write_kernel_pack(file, compiler, known);
  return {.kernels = known.size(), .compiled = missing.size()};
}

}  // namespace outerloop::kernels
