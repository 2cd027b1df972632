#pragma once
// The op records: everything the system knows about each op (outerloop/ir/op_def.h).
//
// Attributes by record, integers unless said:
//
//   constant          value (real), dtype, shape (list)
//   iota              count
//   pow               exponent (real)
//   broadcast         shape, axes (lists)
//   sum, reduce_max   axes (list, rising)
//   reshape           shape (list)
//   transpose         permutation (list)
//   slice             starts, limits, strides (lists)
//   pad               low, high, interior (lists)
//   concat            axis
//   gather            axis
//   scatter_add       axis, extent
//   put_per_row       columns
//   scatter           shape (list)
//   max_pool_index    window, stride
//   one_hot           classes, dtype
//   matmul            transpose_a, transpose_b
//   triangular_solve  lower, transposed
//   triangle          lower, diagonal (real)
//   conv2d            stride, pads (list: top, bottom, left, right)
//   conv2d_input      stride, pads, height, width; its filter has swapped channels (p, q, O, C)
//   conv2d_filter     stride, pads, kernel_height, kernel_width
//   random_uniform    stream, dtype, shape (list)
//   fused             body (program)

#include <span>
#include <string_view>

#include "outerloop/ir/op_def.h"

namespace outerloop {

// Every record, in a fixed order.
std::span<const OpDef* const> all_ops();
// nullptr when there is none of that name.
const OpDef* find_op(std::string_view name);
// Floating point operations by the op's record, or one per output element; 0 for constants and
// movement. A fused equation does what its body does.
double flops_of(const Program& program, const Equation& equation);
// The part of them that contractions (matmul, convolutions) do: two for each multiply and add of a
// dense product, taps on padding included. Peaks of FMA units are compared with these.
double dense_flops_of(const Program& program, const Equation& equation);

struct Flops {
  double all = 0;
  double dense = 0;  // of contractions
};
// Sums over the equations of a program, for one lane.
Flops flops_of(const Program& program);

namespace ops {

extern const OpDef constant, iota;
extern const OpDef neg, exp, log, sqrt, rsqrt, tanh, logistic, sin, cos, abs, relu, square;
extern const OpDef reciprocal, sign, pow, stop_gradient;
extern const OpDef add, sub, mul, div, maximum, minimum, less, less_equal, equal, select;
extern const OpDef broadcast, sum, reduce_max;
extern const OpDef reshape, transpose, slice, pad, concat;
extern const OpDef gather, scatter_add, take_per_row, put_per_row, take, scatter;
extern const OpDef max_pool_index, one_hot;
extern const OpDef matmul, cholesky, triangular_solve, triangle;
extern const OpDef conv2d, conv2d_input, conv2d_filter;
extern const OpDef random_uniform;
// Made by passes; any number of inputs and outputs. The attribute "body" is the defining program,
// whose inputs and outputs are bound in order. Differentiation inlines the body.
extern const OpDef fused;

}  // namespace ops
}  // namespace outerloop
