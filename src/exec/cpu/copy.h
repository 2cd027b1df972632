#pragma once
// Kernels that move elements without arithmetic (transpose, slice, pad, concat, broadcast), and
// kernels that are led by int32 indices. Elements are 4 or 8 bytes of any type unless a float type
// is asked for.

#include <cstdint>

#include "exec/cpu/kernel.h"

namespace outerloop::exec {

Kernel make_moves(const MoveSpec& spec, Isa isa);
Kernel make_max_pool_index(const MaxPoolSpec& spec, Isa isa);

// By the rule of each IndexKind.
Kernel make_gather_rows(const RowsSpec& spec, Isa isa);
Kernel make_scatter_add_rows(const RowsSpec& spec, Isa isa);
Kernel make_take(DType dtype, int64_t count);
Kernel make_scatter_add(DType dtype, int64_t count, int64_t elements);
Kernel make_take_per_row(DType dtype, int64_t rows, int64_t columns);
Kernel make_put_per_row(DType dtype, int64_t rows, int64_t columns);
Kernel make_one_hot(DType dtype, int64_t rows, int64_t columns);

}  // namespace outerloop::exec
