#pragma once
// A program compiled for the CPU.
//
//   auto executable = Executable::compile(program);
//   SharedState shared(executable);          // one per set of meta-parameters
//   shared.bind_input(i, theta);
//   Workspace workspace(executable->lane_arena_bytes());        // one per thread
//   Instance instance(executable, shared, workspace);
//   instance.bind_input(j, support); instance.bind_output(k, gradient);
//   shared.run();                            // when shared inputs changed
//   instance.run();                          // one lane; no allocation
//
// Pointers stay bound until bound again; they need 64-byte alignment for speed, the alignment of
// their type for correctness. Inputs and outputs are numbered as in the source program. An output
// buffer must not overlap an input or another output. Binding and running throw BadInput on a
// number that the program has not, null, misaligned memory, a tensor of another type than the
// program's, and on what a run needs and nobody bound.
//
// Threads: an Executable and a KernelCache serve all threads at once. A SharedState is bound and
// run by one thread while no Instance of it runs. An Instance and its workspace belong to one
// thread at a time; different instances run side by side.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "outerloop/exec/isa.h"
#include "outerloop/ir/program.h"
#include "outerloop/passes/pass.h"
#include "outerloop/tensor/tensor.h"

namespace outerloop::exec {

// Kernels that are in use, by description: equal ones are generated once, whichever program and
// instruction set asks. A kernel goes when the last executable with it goes.
class KernelCache {
 public:
  KernelCache();
  ~KernelCache();
  size_t made() const;  // kernels generated so far

  class Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

// Copies share their kernels.
struct CompileOptions {
  Isa isa = select_isa();
  passes::Options passes;
  std::shared_ptr<KernelCache> kernels = std::make_shared<KernelCache>();
};

// Immutable. Throws BadInput on names in options.passes.disabled that no
// optional pass has, InternalError on ops without a kernel.
class Executable {
 public:
  static std::shared_ptr<const Executable> compile(const Program& program,
                                                   const CompileOptions& options = {});
  ~Executable();

  const Program& optimised() const;  // after the passes: what the steps are made of
  Isa isa() const;
  size_t lane_arena_bytes() const;    // planned: what a Workspace needs
  size_t shared_arena_bytes() const;  // planned: allocated by a SharedState
  size_t peak_live_bytes() const;     // lower bound of any plan for a lane
  double lane_flops() const;          // counted from the records, of the equations run per lane
  double lane_dense_flops() const;    // the part that contractions do (outerloop/ops/records.h)
  double shared_flops() const;        // of the equations run once for all lanes
  size_t lane_kernel_calls() const;
  // By output: after how many of them it has its value and is read by none any more.
  std::vector<size_t> steps_to_outputs() const;

  struct Impl;
  const Impl& impl() const { return *impl_; }

 private:
  explicit Executable(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

// What depends on shared inputs alone (transposed weights, …): computed once for all lanes.
class SharedState {
 public:
  explicit SharedState(std::shared_ptr<const Executable> executable);
  ~SharedState();
  SharedState(SharedState&&) noexcept;

  // Per-lane inputs may be bound too; nothing reads them here.
  void bind_input(int index, const void* data);
  void bind_input(int index, const Tensor& tensor);
  // No allocation.
  void run();

 private:
  friend class Instance;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct StepTime {
  std::string description;  // op and result type
  double seconds = 0;
  double flops = 0;
};

// Memory that kernels work in, 64-byte aligned.
class Workspace {
 public:
  // Zeroed. Throws SystemFailure when there is no memory.
  explicit Workspace(size_t bytes);
  // The caller's, which must outlive this. Throws BadInput where it is not aligned.
  explicit Workspace(std::span<std::byte> memory);
  std::span<std::byte> bytes() const { return bytes_; }

 private:
  struct Free {
    void operator()(std::byte* p) const;
  };
  std::unique_ptr<std::byte, Free> owned_;
  std::span<std::byte> bytes_;
};

// One lane's pointers. The SharedState and the workspace must outlive it.
class Instance {
 public:
  // Works in a workspace of at least lane_arena_bytes() (BadInput otherwise), which instances that
  // do not run at the same time may share: nothing is kept there between runs.
  Instance(std::shared_ptr<const Executable> executable, const SharedState& shared,
           const Workspace& workspace);
  ~Instance();
  Instance(Instance&&) noexcept;

  // Shared inputs too are bound here: lanes may read them directly.
  void bind_input(int index, const void* data);
  void bind_input(int index, const Tensor& tensor);
  void bind_output(int index, void* data);
  void bind_output(int index, Tensor& tensor);
  // No allocation.
  void run();
  // The kernel calls [first, end) alone, for who wants outputs as soon as they are there.
  void run(size_t first, size_t end);
  // Runs once and adds each step's time to `times` (sized on the first call).
  void run_timed(std::vector<StepTime>& times);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Compiles nothing, allocates everything: for tests, tools and one-off calls.
std::vector<Tensor> run_once(const std::shared_ptr<const Executable>& executable,
                             std::span<const Tensor> inputs);

}  // namespace outerloop::exec
