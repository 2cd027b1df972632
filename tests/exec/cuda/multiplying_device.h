#pragma once
// The stand-in for a GPU with a library for products.

#include "exec/cuda/cublas.h"
#include "exec/cuda/host_device.h"

namespace outerloop::testing_support {

class MultiplyingDevice : public HostDevice {
 public:
  explicit MultiplyingDevice(exec::cuda::Products products)
      : cublas_(products, allocate(exec::cuda::Cublas::kWorkspaceBytes), 13000) {}

  std::string name() const override { return "host, " + cublas_.name(); }
  bool multiplies() const override { return true; }
  void multiply(const exec::DeviceStream& stream, const exec::DeviceProduct& product, int64_t lanes,
                const exec::DeviceOperand& a, const exec::DeviceOperand& b,
                const exec::DeviceOperand& c) override {
    count_launch(stream);
    enqueue(stream,
            [=, this, at = stream.handle.get()] { cublas_.multiply(at, product, lanes, a, b, c); });
  }

 private:
  exec::cuda::Cublas cublas_;
};

}  // namespace outerloop::testing_support
