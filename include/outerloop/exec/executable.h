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
// buffer must not overlap an input or another output.

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

struct CompileOptions {
  Isa isa = select_isa();
  passes::Options passes;
};

// Immutable; shared by all threads. Throws BadInput on names in options.passes.disabled that no
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
  double shared_dense_flops() const;
  size_t lane_steps() const;  // kernel calls per lane

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

  void bind_input(int index, const void* data);
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

// Memory that kernels work in, 64-byte aligned and zeroed. Throws SystemFailure when there is none.
class Workspace {
 public:
  explicit Workspace(size_t bytes);
  std::span<std::byte> bytes() const { return {data_.get(), size_}; }

 private:
  struct Free {
    void operator()(std::byte* p) const;
  };
  size_t size_;
  std::unique_ptr<std::byte, Free> data_;
};

// One lane's pointers. Not thread-safe; the SharedState and the workspace must outlive it.
class Instance {
 public:
  // Works in a workspace of at least lane_arena_bytes(), which instances that do not run at the
  // same time may share: nothing is kept there between runs.
  Instance(std::shared_ptr<const Executable> executable, const SharedState& shared,
           const Workspace& workspace);
  ~Instance();
  Instance(Instance&&) noexcept;

  // Shared inputs too are bound here: lanes may read them directly.
  void bind_input(int index, const void* data);
  void bind_output(int index, void* data);
  void run();
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
