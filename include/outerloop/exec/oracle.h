#pragma once
// The oracle: runs a program op by op with naive loops, exactly by the rules of ordered arithmetic
// (outerloop/tensor/ordered.h, outerloop/ops/reduce.h). Fast executors are compared with it bit for
// bit. One lane; float32 and float64.

#include <span>
#include <vector>

#include "outerloop/ir/program.h"
#include "outerloop/tensor/tensor.h"

namespace outerloop::exec {

// Inputs and outputs in the program's order. Throws BadInput when an input has another type than
// the program states or an index is out of range.
std::vector<Tensor> interpret(const Program& program, std::span<const Tensor> inputs);

}  // namespace outerloop::exec
