#pragma once
// From the spec of a step to CUDA C++: the text of its kernels and how they are launched.
//
// A kernel works on all lanes of a call. Blocks are numbered over one axis, those of a lane side by
// side; threads of a block share nothing with other blocks. Equal specs give equal text, so a
// kernel is compiled once whichever program asks.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "exec/plan/specs.h"
#include "outerloop/exec/device.h"

namespace outerloop::exec::cuda {

// How many threads work together. A kernel of its own chooses; the steps of a megakernel all have
// the threads of one block, which does what several blocks would do one after the other.
struct Team {
  int threads = 0;  // 0: as many as suit
};

// Defines `run(const ol::Pointers<operands>& p, unsigned block, char* scratch)`: one block of one
// lane, which works in so many bytes of shared memory.
struct KernelCode {
  std::string run;
  std::string_view kind = "loop";
  int operands = 0;
  int threads = 0;     // of a block
  int64_t blocks = 0;  // per lane
  int64_t scratch_bytes = 0;
};

// Text that stands before all kernels.
std::string_view device_prelude();
// One kernel as an extern "C" function. Its name is its kind, for readers of profiles, and a hash
// of all its text but the name: machine code is kept by it.
KernelSource named(std::string_view kind,
                   const std::function<std::string(const std::string& name)>& text);
KernelSource kernel_source(const KernelCode& code);

// A kernel of a step, with the operands of the step that it takes.
struct StepKernel {
  KernelCode code;
  std::vector<int> operands;
};
// In the order in which they run; none where there is nothing to compute.
std::vector<StepKernel> kernels_of(const StepSpec& spec, const Team& team = {});

// Whether PlainSpecs of this op have kernels.
bool has_plain_kernel(const OpDef& op);

// Families (source_<family>.cpp). Kernels without a list take all operands in order.
KernelCode loop_kernel(const LoopSpec& spec, const Team& team);
KernelCode matmul_kernel(const MatmulSpec& spec, const Team& team);
KernelCode conv_kernel(const ConvSpec& spec, const Team& team);
KernelCode index_kernel(const IndexSpec& spec, const Team& team);
KernelCode max_pool_kernel(const MaxPoolSpec& spec, const Team& team);
KernelCode plain_kernel(const PlainSpec& spec, const Team& team);
std::vector<StepKernel> move_kernels(const MoveSpec& spec, const Team& team);

}  // namespace outerloop::exec::cuda
