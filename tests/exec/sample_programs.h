#pragma once
// Meta-gradients of small networks: whole programs with everything that training compiles.

#include <string>
#include <vector>

#include "outerloop/ir/program.h"

namespace outerloop::testing_support {

// Loss and second-order gradient of the shared parameters after `steps` adapted steps, per lane.
struct SampleProgram {
  std::string name;
  int64_t steps = 1;
  Program (*make)(DType dtype, int64_t steps) = nullptr;

  Program program(DType dtype) const { return make(dtype, steps); }
};

Program mlp_gradient(DType dtype, int64_t steps);       // 1-40-40-1, 10 points
Program tanh_mlp_gradient(DType dtype, int64_t steps);  // odd widths
Program conv_stride_gradient(DType dtype, int64_t steps);
Program conv_pool_gradient(DType dtype, int64_t steps);

std::vector<SampleProgram> sample_programs();

}  // namespace outerloop::testing_support
