#include "exec/cuda/kernel_maker.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>

#include "exec/cuda/kernel_pack.h"
#include "exec/cuda/kernel_store.h"
#include "exec/cuda/nvrtc.h"
#include "exec/cuda/ptx_linker.h"
#include "outerloop/base/error.h"

namespace outerloop::exec::cuda {
namespace {

class NvrtcMaker : public KernelMaker {
 public:
  explicit NvrtcMaker(std::string architecture)
      : architecture_(std::move(architecture)),
        about_{.name = "NVRTC " + nvrtc_.version(), .takes_any = true} {}

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

// Runs work(0) … work(count - 1) on all cores; the first failure is thrown when all are done.
template <class Work>
void on_all_cores(size_t count, const Work& work) {
  std::atomic<size_t> next = 0;
  std::vector<std::exception_ptr> failures(count);
  const auto loop = [&] {
    for (size_t i = next++; i < count; i = next++) {
      try {
        work(i);
      } catch (...) {
        failures[i] = std::current_exception();
      }
    }
  };
  {
    const size_t cores = std::max(std::thread::hardware_concurrency(), 1U);
    std::vector<std::jthread> workers;
    for (size_t i = 1; i < std::min(cores, count); ++i) workers.emplace_back(loop);
    loop();
  }
  for (const std::exception_ptr& failure : failures) {
    if (failure != nullptr) std::rethrow_exception(failure);
  }
}

}  // namespace

std::string Architecture::name() const {
  return fmt::format("sm_{}{}", major, minor);
}

// The compiler first: it makes every kernel, and for this very GPU.
std::unique_ptr<KernelMaker> find_kernel_maker(const Driver& driver, void* context,
                                               const Architecture& architecture) {
  try {
    return std::make_unique<NvrtcMaker>(architecture.name());
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
