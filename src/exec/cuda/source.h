#pragma once
// From the spec of a step to CUDA C++: the text of its kernels and how they are launched.
//
// A kernel works on all lanes of a call. Blocks are numbered over one axis, those of a lane side by
// side; threads of a block share nothing with other blocks. Equal specs give equal text, so a
// kernel is compiled once whichever program asks.

#include <cstdint>
#include <string>
#include <vector>

#include "exec/plan/specs.h"
#include "outerloop/exec/device.h"

namespace outerloop::exec::cuda {

// Defines `run(const ol::Pointers<operands>& p, unsigned block)`: one block of one lane.
struct KernelCode {
  std::string run;
  int operands = 0;
  int threads = 0;     // of a block
  int64_t blocks = 0;  // per lane
};

// Text that stands before all kernels, and one kernel as an extern "C" function.
std::string_view device_prelude();
KernelSource kernel_source(const KernelCode& code);

// A kernel of a step, with the operands of the step that it takes.
struct StepKernel {
  KernelCode code;
  std::vector<int> operands;
};
// In the order in which they run; none where there is nothing to compute.
std::vector<StepKernel> kernels_of(const StepSpec& spec);

// Whether PlainSpecs of this op have kernels.
bool has_plain_kernel(const OpDef& op);

// Families (source_<family>.cpp). Kernels without a list take all operands in order.
KernelCode loop_kernel(const LoopSpec& spec);
KernelCode matmul_kernel(const MatmulSpec& spec);
KernelCode conv_kernel(const ConvSpec& spec);
KernelCode index_kernel(const IndexSpec& spec);
KernelCode max_pool_kernel(const MaxPoolSpec& spec);
KernelCode plain_kernel(const PlainSpec& spec);
std::vector<StepKernel> move_kernels(const MoveSpec& spec);

}  // namespace outerloop::exec::cuda
