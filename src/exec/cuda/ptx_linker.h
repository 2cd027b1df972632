#pragma once
// Machine code from a pack of PTX, by the driver's own assembler and linker.

#include <optional>

#include "exec/cuda/driver.h"
#include "exec/cuda/kernel_maker.h"
#include "exec/cuda/kernel_pack.h"

namespace outerloop::exec::cuda {

class PtxLinker : public KernelMaker {
 public:
  // Throws BadInput where the driver or the GPU is too old for what the pack has, CorruptFile where
  // the pack is damaged.
  PtxLinker(const Driver& driver, void* context, const Architecture& architecture,
            const std::filesystem::path& pack);

  const DeviceCompiler& about() const override { return about_; }
  std::string name() const override;
  void prepare(std::string_view prelude, std::span<const KernelSource* const> kernels) override;
  std::string make(std::string_view prelude, const KernelSource& kernel) const override;

 private:
  const Driver& driver_;
  CUcontext context_;
  int driver_version_ = 0;  // 12080: of CUDA 12.8
  KernelPack pack_;
  DeviceCompiler about_;
  std::optional<PtxByName> kernels_;  // when they are asked for
};

}  // namespace outerloop::exec::cuda
