#pragma once
// cuBLAS, loaded when it is first asked for: the latest libcublas.so that suits the driver, or the
// file that the variable OUTERLOOP_CUBLAS names. It works in memory that it is given once, so that
// its results are the same from run to run on one GPU model, and its calls can be recorded.

#include <memory>
#include <string>

#include "outerloop/exec/cuda.h"

namespace outerloop::exec::cuda {

class Cublas {
 public:
  static constexpr size_t kWorkspaceBytes = size_t{32} << 20;

  // For the thread's current GPU and a driver of this version (12080: of CUDA 12.8). The workspace
  // is kept. Throws BadInput where there is no library that can be used, SystemFailure where it
  // does not start, both with what to do.
  Cublas(Products products, DeviceMemory workspace, int driver_version);
  ~Cublas();
  Cublas(const Cublas&) = delete;
  Cublas& operator=(const Cublas&) = delete;

  // "cuBLAS 13.0.2, products in tf32"
  const std::string& name() const;
  // Puts the product of all lanes on a stream, a cudaStream_t.
  void multiply(void* stream, const DeviceProduct& product, int64_t lanes, const DeviceOperand& a,
                const DeviceOperand& b, const DeviceOperand& c);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace outerloop::exec::cuda
