#include "kernels/make_pack.h"

#include <fmt/format.h>

#include "exec/cuda/kernel_pack.h"
#include "exec/cuda/nvrtc.h"
#include "exec/cuda/on_all_cores.h"
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
  std::vector<std::string> texts(kernels.size());
  exec::cuda::on_all_cores(kernels.size(),
                           [&](size_t i) { texts[i] = ptx_of(nvrtc, *kernels[i]); });
  PtxByName made;
  for (size_t i = 0; i < kernels.size(); ++i) {
    made.emplace(kernels[i]->source.name, std::move(texts[i]));
  }
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
