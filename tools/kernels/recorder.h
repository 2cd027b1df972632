#pragma once
// A device that computes nothing: it keeps the kernels that are compiled for it, and how they are
// launched. Its memory has addresses and no content.

#include <map>
#include <string>

#include "outerloop/exec/device.h"

namespace outerloop::kernels {

struct Kernel {
  exec::KernelSource source;
  std::string origin;  // whose kernel it is; of several the first
  // Of its largest launch; zeros where there is none.
  int threads = 0;
  int64_t blocks = 0;
  size_t operands = 0;
};
using KernelsByName = std::map<std::string, Kernel>;

class Recorder : public exec::Device {
 public:
  // What is compiled from now on belongs to `origin`, for a GPU that gives a block so much shared
  // memory on request.
  void begin(std::string origin, size_t shared_bytes_on_request);
  KernelsByName& kernels() { return kernels_; }
  // How many of each kind, copies included, the graph has that was recorded last.
  const std::map<std::string, int>& graph() const { return graph_; }

  std::string name() const override { return "recorder"; }
  std::string identity() const override { return "recorder"; }
  exec::DeviceLimits limits() const override { return limits_; }
  exec::DeviceMemory allocate(size_t bytes) override;
  exec::PinnedMemory allocate_pinned(size_t bytes) override;
  exec::DeviceStream make_stream() override { return {}; }
  void upload(const exec::DeviceStream&, std::byte*, std::span<const std::byte>) override {}
  void download(const exec::DeviceStream&, std::span<std::byte>, const std::byte*) override {}
  void copy(const exec::DeviceStream&, std::byte*, const std::byte*, size_t) override {
    ++graph_["copy"];
  }
  void synchronize(const exec::DeviceStream&) override {}
  std::vector<exec::DeviceFunction> compile(std::string_view prelude,
                                            std::span<const exec::KernelSource> kernels) override;
  void launch(const exec::DeviceStream& stream, const exec::DeviceFunction& function,
              int64_t blocks, int threads, std::span<const exec::DeviceOperand> operands) override;
  exec::DeviceEvent make_event() override { return {}; }
  void record(const exec::DeviceEvent&, const exec::DeviceStream&) override {}
  bool reached(const exec::DeviceEvent&) override { return true; }
  void wait(const exec::DeviceStream&, const exec::DeviceEvent&) override {}
  void begin_recording(const exec::DeviceStream&) override { graph_.clear(); }
  exec::DeviceGraph end_recording(const exec::DeviceStream&) override { return {}; }
  void launch(const exec::DeviceStream&, const exec::DeviceGraph&) override {}

 private:
  exec::DeviceLimits limits_;
  std::string origin_;
  KernelsByName kernels_;
  std::map<std::string, int> graph_;
  uintptr_t next_address_ = 4096;
};

}  // namespace outerloop::kernels
