#pragma once
// Transposes: boxes whose source is contiguous along one axis and whose target along another, in
// square tiles that are turned inside vector registers.

#include <cstdint>
#include <vector>

#include "exec/cpu/kernel.h"

namespace outerloop::exec {

// Strides in bytes. Element (row, column) of each outer index lies at row * source_row + column
// elements in the source, and at column * target_column + row elements in the target.
struct TransposeNest {
  DType dtype = DType::f32;  // gives the element size
  std::vector<int64_t> outer;
  std::vector<int64_t> outer_source, outer_target;
  int64_t rows = 0, columns = 0;
  int64_t source_row = 0;
  int64_t target_column = 0;
};

// Operands: source, target. No kernel where addresses would not fit their instructions.
Kernel make_transpose(const TransposeNest& nest, Isa isa);

}  // namespace outerloop::exec
