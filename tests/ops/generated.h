#pragma once
// Programs made from the op records, for tests of what must hold for any program.

#include <random>
#include <string>
#include <vector>

#include "ops/samples.h"
#include "outerloop/ir/program.h"

namespace outerloop::testing {

struct Generated {
  std::string name;
  Program program;
  std::vector<Tensor> inputs;
};

// Elementwise ops of one shape of this rank, drawn at random: with extents of 1, operands repeated
// along any axes, constants, and sums and maxima over any axes that are repeated in turn. Some of
// the inputs are shared.
Generated random_chain(int rank, DType dtype, uint32_t seed);

// The op between others that passes may fuse it with: its floating inputs and results go through
// elementwise ops, its results are also reduced, and int32 results lead another op.
Generated neighbourhood(const OpCase& c, DType dtype, uint32_t seed);

}  // namespace outerloop::testing
