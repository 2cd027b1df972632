#include "exec/cuda/kernel_maker.h"

#include <fmt/format.h>

#include "exec/cuda/driver.h"
#include "exec/cuda/kernel_pack.h"
#include "exec/cuda/kernel_store.h"
#include "exec/cuda/nvrtc.h"
#include "exec/cuda/on_all_cores.h"
#include "exec/cuda/ptx_linker.h"
#include "outerloop/base/error.h"

namespace outerloop::exec::cuda {
namespace {

class NvrtcMaker : public KernelMaker {
 public:
  NvrtcMaker(int driver_major, const Architecture& gpu)
      : nvrtc_(driver_major),
        architecture_(gpu.name()),
        about_{.name = "NVRTC " + nvrtc_.version(), .takes_any = true} {
    if (nvrtc_.knows(architecture_)) return;
    throw BadInput(fmt::format(
        "{} of the CUDA toolkit here makes no code for this GPU, of compute capability {}.{}: "
        "install a toolkit that does, or set runtime.device=cpu",
        about_.name, gpu.major, gpu.minor));
  }

  const DeviceCompiler& about() const override { return about_; }
  std::string name() const override { return "nvrtc" + nvrtc_.version(); }
  void prepare(std::string_view, std::span<const KernelSource* const>) override {}
  std::string make(std::string_view prelude, const KernelSource& kernel) const override {
    const KernelSource* one = &kernel;
    return nvrtc_.compile(prelude, {&one, 1}, architecture_).cubin;
  }

 private:
  Nvrtc nvrtc_;
  std::string architecture_;
  DeviceCompiler about_;
};

}  // namespace

std::string Architecture::name() const {
  return fmt::format("sm_{}{}", major, minor);
}

// The compiler first: it makes every kernel, and for this very GPU.
std::unique_ptr<KernelMaker> find_kernel_maker(const Driver& driver, void* context,
                                               const Architecture& architecture) {
  try {
    int version = 0;  // 12080: of CUDA 12.8
    driver.cuDriverGetVersion(&version);
    return std::make_unique<NvrtcMaker>(version / 1000, architecture);
  } catch (const BadInput&) {
    const std::filesystem::path pack = kernel_pack_file();
    if (!std::filesystem::exists(pack)) throw;
    return std::make_unique<PtxLinker>(driver, context, architecture, pack);
  }
}

std::vector<std::string> machine_code(KernelMaker& maker, const Architecture& architecture,
                                      std::string_view prelude,
                                      std::span<const KernelSource> kernels) {
  const KernelStore store(kernel_folder(), fmt::format("{}-{}-{}", architecture.name(),
                                                       maker.name(), hash_of_prelude(prelude)));
  std::vector<std::string> code(kernels.size());
  std::vector<const KernelSource*> missing;
  for (size_t k = 0; k < kernels.size(); ++k) {
    if (auto known = store.find(kernels[k].name)) {
      code[k] = std::move(*known);
    } else {
      missing.push_back(&kernels[k]);
    }
  }
  if (missing.empty()) return code;
  maker.prepare(prelude, missing);
  on_all_cores(missing.size(), [&](size_t i) {
    std::string& made = code[static_cast<size_t>(missing[i] - kernels.data())];
    made = maker.make(prelude, *missing[i]);
    store.keep(missing[i]->name, made);
  });
  return code;
}

}  // namespace outerloop::exec::cuda
