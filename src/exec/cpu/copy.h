#pragma once
// Kernels that move elements without arithmetic (transpose, slice, pad, concat, broadcast), and
// kernels that are led by int32 indices. Elements are 4 or 8 bytes of any type unless a float type
// is asked for. Strides and offsets in elements.
//
// Indices must be inside their range: the kernels do not check them. They go from 0 to the last, so
// sums over equal indices have the order that outerloop/tensor/ordered.h asks for.

#include <cstdint>
#include <vector>

#include "exec/cpu/kernel.h"

namespace outerloop::exec {

// One box of elements, from one buffer to another: for every index over `extents` (outermost
// first, any rank), target[target_offset + index . target] = source[source_offset + index .
// source].
struct Move {
  std::vector<int64_t> extents;
  std::vector<int64_t> source;
  std::vector<int64_t> target;
  int64_t source_offset = 0;
  int64_t target_offset = 0;
};

// Operands: the source of each move, then the target. The moves write different elements and read
// nothing that they write. What no move writes becomes zero where `fills` asks for it.
struct MoveSpec {
  int element_bytes = 4;
  std::vector<Move> moves;
  bool fills = false;
  int64_t target_elements = 0;  // of the whole target, for the fill
};
Kernel make_moves(const MoveSpec& spec, Isa isa);

// A tensor seen around one axis: (outer, extent, inner), row-major.
struct RowsSpec {
  DType dtype = DType::f32;
  int64_t outer = 1;
  int64_t extent = 0;  // rows that indices choose from
  int64_t inner = 1;   // elements of a row
  int64_t count = 0;   // indices
};
// y[o, j, :] = x[o, index[j], :]. Operands: x, indices, y.
Kernel make_gather_rows(const RowsSpec& spec, Isa isa);
// y = 0, then y[o, index[j], :] += u[o, j, :] in rising j. Operands: u, indices, y.
Kernel make_scatter_add_rows(const RowsSpec& spec, Isa isa);

// y[i] = x[index[i]]. Operands: x, indices, y.
Kernel make_take(DType dtype, int64_t count);
// y = 0, then y[index[i]] += u[i] in rising i. Operands: u, indices, y.
Kernel make_scatter_add(DType dtype, int64_t count, int64_t elements);
// y[i] = x[i, index[i]]. Operands: x (rows, columns), indices, y.
Kernel make_take_per_row(DType dtype, int64_t rows, int64_t columns);
// y = 0, then y[i, index[i]] = u[i]. Operands: u, indices, y (rows, columns).
Kernel make_put_per_row(DType dtype, int64_t rows, int64_t columns);
// y = 0, then y[i, label[i]] = 1. Operands: labels, y (rows, columns).
Kernel make_one_hot(DType dtype, int64_t rows, int64_t columns);

// x (images, height, width, channels): for each window of `window` squared elements, `stride`
// apart, the flat index of its largest element, the first of equal ones (a NaN is never larger than
// another element, nor another larger than it). Operands: x, y (int32).
struct MaxPoolSpec {
  DType dtype = DType::f32;
  int64_t images = 0, height = 0, width = 0, channels = 0;
  int64_t window = 2, stride = 2;
};
Kernel make_max_pool_index(const MaxPoolSpec& spec, Isa isa);

}  // namespace outerloop::exec
