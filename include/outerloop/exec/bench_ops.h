#pragma once
// Speed of single ops, each as a program of its own, at the sizes that the models use.

#include <span>
#include <string>
#include <vector>

#include "outerloop/exec/executable.h"
#include "outerloop/ir/op_def.h"

namespace outerloop::exec {

struct OpCase {
  const OpDef* op = nullptr;
  OpSample sample;
};

// Sizes of the sinusoid MLP (10 points, 40 units) and of conv4 (5 images, 64 filters; larger
// batches where they matter), in the order of the records. Every op that computes something has at
// least one; constants, which are folded, and fused ops, which passes make, have none.
std::vector<OpCase> op_cases();

struct OpSpeed {
  std::string op;
  std::string shapes;  // "f32(10, 40) x f32(40, 40), transpose_b=1 -> f32(10, 40)"
  double seconds = 0;  // one call, dispatch included: the median over batches
  double flops = 0;    // by the op's record
  double bytes = 0;    // inputs read and outputs written, each once
};

// Measures for about `seconds`. Operands stay in cache between calls. Throws BadInput when there is
// no kernel.
OpSpeed measure_op(const OpCase& op_case, const CompileOptions& options, double seconds);

}  // namespace outerloop::exec
