#pragma once
// A machine with memory of its own that runs generated kernels: an NVIDIA GPU
// (outerloop/exec/cuda.h), or a stand-in that tests run on.
//
// Work of one stream runs in order; copies and launches return before it is done. Handles are
// shared: the last copy gives the resource back, without waiting for work that still uses it, so
// synchronise first. Every function throws SystemFailure with what failed and why. A device and
// what it gives belong to one thread at a time.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "outerloop/tensor/dtype.h"

namespace outerloop::exec {

// One kernel as CUDA C++: an extern "C" function `name` that takes one struct of operands
// (src/exec/cuda/device/operands.h), after the text that all kernels share.
struct KernelSource {
  std::string name;
  std::string text;
  size_t shared_bytes = 0;  // of a block, beside what the text declares
};

// Addresses are the device's; the host may not follow them.
struct DeviceMemory {
  std::shared_ptr<void> owner;
  std::byte* data = nullptr;
  size_t bytes = 0;
};

// The host's, which a device reads and writes while the host goes on.
struct PinnedMemory {
  std::shared_ptr<void> owner;
  std::span<std::byte> bytes;
};

struct DeviceStream {
  std::shared_ptr<void> handle;
};
struct DeviceEvent {
  std::shared_ptr<void> handle;
};
struct DeviceFunction {
  std::shared_ptr<void> owner;
  void* handle = nullptr;
  size_t shared_bytes = 0;
};
// Recorded work of a stream.
struct DeviceGraph {
  std::shared_ptr<void> handle;
  size_t kernels = 0;  // that a launch of it runs
};

// One operand of a kernel: lane i reads and writes at base + i * lane_stride (bytes).
struct DeviceOperand {
  std::byte* base = nullptr;
  int64_t lane_stride = 0;
};

// A product of matrices of every lane: C[b, i, j] = sum over p of A[b, i, p] B[b, p, j]. Strides
// are in elements; those of j in B and C are 1, and of A that of i or p is.
struct DeviceProduct {
  DType dtype = DType::f32;
  int64_t batch = 1, m = 0, n = 0, k = 0;
  int64_t a_batch = 0, a_row = 0, a_k = 1;
  int64_t b_batch = 0, b_k = 0;
  int64_t c_batch = 0, c_row = 0;
};

struct DeviceLimits {
  int threads_per_block = 1024;
  int64_t blocks = (int64_t{1} << 31) - 1;     // of a launch, one axis
  size_t shared_bytes = 48 * 1024;             // of a block, that a kernel's text may declare
  size_t shared_bytes_on_request = 48 * 1024;  // with what is asked for at launch
  size_t argument_bytes = 4096;
};

// What compile() makes machine code with.
struct DeviceCompiler {
  std::string name;       // "NVRTC 13.0"
  bool takes_any = true;  // else the kernels that it was given at its own time, and no others
};

class Device {
 public:
  virtual ~Device() = default;

  virtual std::string name() const = 0;
  // A name that no other device has: "GPU-5e1f…".
  virtual std::string identity() const = 0;
  virtual DeviceLimits limits() const = 0;
  // Throws BadInput where there is none.
  virtual DeviceCompiler compiler() { return {.name = "its own"}; }

  virtual DeviceMemory allocate(size_t bytes) = 0;         // content undefined
  virtual PinnedMemory allocate_pinned(size_t bytes) = 0;  // the same
  // Of the device's memory, by allocate() and not given back. Code, and what libraries take for
  // themselves, is not in it.
  size_t held_bytes() const { return held_->bytes; }
  size_t most_held_bytes() const { return held_->most; }  // at any time
  virtual DeviceStream make_stream() = 0;
  // Copies from and to memory that is not pinned may wait for the stream's work. Pinned memory is
  // the device's until the copy is done.
  virtual void upload(const DeviceStream& stream, std::byte* to,
                      std::span<const std::byte> from) = 0;
  virtual void download(const DeviceStream& stream, std::span<std::byte> to,
                        const std::byte* from) = 0;
  // From device to device; the two must not overlap.
  virtual void copy(const DeviceStream& stream, std::byte* to, const std::byte* from,
                    size_t bytes) = 0;
  virtual void synchronize(const DeviceStream& stream) = 0;

  // `prelude` stands before each kernel. In the order of `kernels`. Throws BadInput on those that
  // compiler() does not take.
  virtual std::vector<DeviceFunction> compile(std::string_view prelude,
                                              std::span<const KernelSource> kernels) = 0;
  virtual void launch(const DeviceStream& stream, const DeviceFunction& function, int64_t blocks,
                      int threads, std::span<const DeviceOperand> operands) = 0;

  // Whether products are made by a library, in whatever order it takes (numerics: fast). Then it is
  // named in name(), and multiply() puts its work on a stream, to be recorded as a launch is.
  virtual bool multiplies() const { return false; }
  virtual void multiply(const DeviceStream& stream, const DeviceProduct& product, int64_t lanes,
                        const DeviceOperand& a, const DeviceOperand& b, const DeviceOperand& c);

  virtual DeviceEvent make_event() = 0;
  // The event stands for all work that the stream has by now.
  virtual void record(const DeviceEvent& event, const DeviceStream& stream) = 0;
  // Whether that work is done; true for an event that was never recorded.
  virtual bool reached(const DeviceEvent& event) = 0;
  // What the stream gets from now on waits for the event as recorded by now. The host does not.
  virtual void wait(const DeviceStream& stream, const DeviceEvent& event) = 0;

  // Launches, multiply() and copy() of the stream are recorded rather than run until
  // end_recording(); nothing else may be asked of it between.
  virtual void begin_recording(const DeviceStream& stream) = 0;
  virtual DeviceGraph end_recording(const DeviceStream& stream) = 0;
  virtual void launch(const DeviceStream& stream, const DeviceGraph& graph) = 0;

  // Launched by now: kernels, those of a graph each time that it is, products by a library (in a
  // graph by the kernels that they are). What other libraries launch is not in it.
  size_t launched_kernels() const { return launched_kernels_; }

 protected:
  void count_kernels(size_t count) { launched_kernels_ += count; }
  // In held_bytes(), until its last copy goes.
  DeviceMemory counted(DeviceMemory memory);

 private:
  struct Held {
    size_t bytes = 0;
    size_t most = 0;
  };
  std::shared_ptr<Held> held_ = std::make_shared<Held>();
  size_t launched_kernels_ = 0;
};

}  // namespace outerloop::exec
