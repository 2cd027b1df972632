#pragma once
// Programs on an NVIDIA GPU: all lanes of a call side by side, with the bits of the CPU.
//
//   const auto device = cuda::open_device(0);
//   const auto executable = cuda::Executable::compile(program, device);
//   cuda::Lanes lanes(executable, 32);
//   lanes.bind_input(i, theta);                          // shared
//   lanes.bind_input(j, supports, bytes_of_a_support);   // lane l reads at supports + l * bytes
//   lanes.bind_output(k, gradients, bytes_of_a_gradient);
//   lanes.run(stream);                                   // launches; nothing waits
//   const DeviceGraph graph = lanes.record(stream);      // the same, launched as one
//   device->launch(stream, graph);
//
// Inputs and outputs are numbered as in the source program and live in device memory. Addresses
// stay bound until bound again; a graph keeps those of its recording. Binding and running throw
// BadInput on a number that the program has not, null or misaligned memory, and on what a run needs
// and nobody bound.

#include <memory>
#include <string>
#include <vector>

#include "outerloop/exec/device.h"
#include "outerloop/ir/program.h"
#include "outerloop/passes/pass.h"
#include "outerloop/tensor/tensor.h"

namespace outerloop::exec::cuda {

// How products of matrices are made that are no part of a larger kernel. But for `ordered` they are
// the cuBLAS library's (numerics: fast), in an order of its own: the same from run to run on one
// GPU model and version, with float32 inputs as they are or rounded. float64 stays float64.
enum class Products : uint8_t { ordered, float32, tf32, bfloat16 };

// The GPU of this number. Throws BadInput with what is missing and what to do: a build without
// CUDA, no driver, no such GPU, no cuBLAS. What makes kernels is looked for when the first are
// asked for: NVRTC, else the pack of a bundle.
std::shared_ptr<Device> open_device(int ordinal, Products products = Products::ordered);

// Names of the GPUs that this process sees; none without a driver or a GPU, or in a build without
// CUDA. Throws an Error with the reason where there is a driver and it does not work.
std::vector<std::string> visible_devices();

// How the steps of a program are launched.
enum class Steps : uint8_t {
  // A lane that fits the GPU's shared memory, or needs little beside it, is one block of one
  // kernel.
  one_kernel_if_it_fits,
  one_by_one,
};

// Immutable but for the device, whose thread it belongs to.
class Executable {
 public:
  static std::shared_ptr<const Executable> compile(const Program& program,
                                                   std::shared_ptr<Device> device,
                                                   const passes::Options& options = {},
                                                   Steps steps = Steps::one_kernel_if_it_fits);
  ~Executable();

  const std::shared_ptr<Device>& device() const;
  const Program& optimised() const;  // after the passes
  // Planned, per lane; where lanes are blocks of one kernel, what shared memory has no room for.
  size_t lane_arena_bytes() const;
  size_t shared_arena_bytes() const;  // planned, once
  // Of shared memory, where a lane is a block of one kernel; else 0, and why it is none: "4100
  // steps, of 4000".
  size_t block_bytes() const;
  const std::string& why_not_one_kernel() const;
  size_t lane_launches() const;     // kernels that a run of all lanes launches
  size_t shared_launches() const;   // before them, for what depends on shared inputs alone
  size_t library_products() const;  // launches that are Device::multiply()
  // Bytes that the kernels of a lane read and write of the device's memory as planned: of each the
  // elements of its operands, once. What a library's products take in between is not in it.
  size_t lane_traffic_bytes() const;

  struct Impl;
  const Impl& impl() const { return *impl_; }

 private:
  explicit Executable(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

// The lanes of one call.
class Lanes {
 public:
  // Working memory that lanes of calls may share which run one after the other: nothing is kept
  // there between runs.
  static size_t arena_bytes(const Executable& executable, int64_t count);

  // `arena`: at least arena_bytes(); without an owner the lanes have their own.
  Lanes(std::shared_ptr<const Executable> executable, int64_t count,
        const DeviceMemory& arena = {});
  ~Lanes();
  Lanes(Lanes&&) noexcept;

  // Of a shared input the stride is not looked at.
  void bind_input(int index, std::byte* data, int64_t lane_stride = 0);
  void bind_output(int index, std::byte* data, int64_t lane_stride);

  // What depends on shared inputs alone, then the lanes.
  void run(const DeviceStream& stream);
  DeviceGraph record(const DeviceStream& stream);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Lanes with memory of their own for inputs and outputs, which are copied there and back: for tests
// and tools.
class CopiedLanes {
 public:
  CopiedLanes(const std::shared_ptr<const Executable>& executable, int64_t count);
  ~CopiedLanes();
  CopiedLanes(CopiedLanes&&) noexcept;

  // Of tensors of the program's types, by lane; shared inputs are those of the first lane. Waits.
  std::vector<std::vector<Tensor>> run(const std::vector<std::vector<Tensor>>& lane_inputs);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Of one call.
std::vector<std::vector<Tensor>> run_once(const std::shared_ptr<const Executable>& executable,
                                          const std::vector<std::vector<Tensor>>& lane_inputs);

}  // namespace outerloop::exec::cuda
