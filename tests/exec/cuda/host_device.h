#pragma once
// A device for tests: generated kernels compiled by the host's compiler and run thread by thread.
// Memory lies between pages that nobody may touch, and starts as NaN. Kernels are compiled when the
// first of them is launched, all that came until then at once. The handle of a stream is a
// FakeStream.

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "outerloop/exec/device.h"

namespace outerloop::testing_support {

class HostDevice : public exec::Device {
 public:
  // When work of a stream is done: before the call returns, or on a thread of the stream.
  enum class Work : uint8_t { at_once, later };
  explicit HostDevice(Work work = Work::at_once, std::string identity = "GPU-host");
  ~HostDevice() override;

  std::string name() const override { return "host"; }
  std::string identity() const override { return identity_; }
  exec::DeviceLimits limits() const override { return {.shared_bytes_on_request = 200 * 1024}; }
  exec::DeviceMemory allocate(size_t bytes) override;
  exec::PinnedMemory allocate_pinned(size_t bytes) override;
  exec::DeviceStream make_stream() override;
  void upload(const exec::DeviceStream& stream, std::byte* to,
              std::span<const std::byte> from) override;
  void download(const exec::DeviceStream& stream, std::span<std::byte> to,
                const std::byte* from) override;
  void copy(const exec::DeviceStream& stream, std::byte* to, const std::byte* from,
            size_t bytes) override;
  // Fails the test where a guard was written over.
  void synchronize(const exec::DeviceStream& stream) override;
  std::vector<exec::DeviceFunction> compile(std::string_view prelude,
                                            std::span<const exec::KernelSource> kernels) override;
  void launch(const exec::DeviceStream& stream, const exec::DeviceFunction& function,
              int64_t blocks, int threads, std::span<const exec::DeviceOperand> operands) override;
  exec::DeviceEvent make_event() override;
  void record(const exec::DeviceEvent& event, const exec::DeviceStream& stream) override;
  bool reached(const exec::DeviceEvent& event) override;
  void wait(const exec::DeviceStream& stream, const exec::DeviceEvent& event) override;
  void begin_recording(const exec::DeviceStream& stream) override;
  exec::DeviceGraph end_recording(const exec::DeviceStream& stream) override;
  void launch(const exec::DeviceStream& stream, const exec::DeviceGraph& graph) override;

  size_t allocations() const { return allocations_; }
  size_t graphs() const { return graphs_; }  // launched
  // How often the host waited, or may have waited: copies of memory that is not pinned count.
  size_t waits() const { return waits_; }
  size_t kernels() const { return kernels_.size(); }
  size_t copied_bytes() const { return copied_bytes_; }  // from and to the host

 protected:
  // In its turn, or when the graph that the stream records is launched.
  void enqueue(const exec::DeviceStream& stream, std::function<void()> work);
  // One kernel, or what stands for one: now, or each time that the graph is launched.
  void count_launch(const exec::DeviceStream& stream);

 private:
  struct Memory;
  struct Stream;
  struct Launch;
  struct Kernel;
  struct Streams;
  struct Recording;
  void build();
  bool is_pinned(std::span<const std::byte> host) const;
  template <class Copy>
  void transfer(const exec::DeviceStream& stream, std::span<const std::byte> host, Copy copy);
  void run(const Launch& launch);

  Work work_;
  std::string identity_;
  std::shared_ptr<Streams> streams_;
  std::vector<std::weak_ptr<Memory>> memory_;
  std::string prelude_;
  std::map<std::string, std::shared_ptr<Kernel>> kernels_;  // by name
  std::vector<std::shared_ptr<Kernel>> pending_;            // not compiled yet
  size_t allocations_ = 0;
  std::vector<std::weak_ptr<std::vector<std::byte>>> pinned_;
  size_t waits_ = 0;
  size_t copied_bytes_ = 0;
  size_t graphs_ = 0;
};

}  // namespace outerloop::testing_support
