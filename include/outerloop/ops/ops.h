#pragma once
// The mathematics of programs: free functions and operators on Expr.
//
//   Expr hidden = relu(matmul(x, w) + b);                       // b (40,) stretches over the rows
//   Expr loss = mean(square(hidden - target));
//
// Every function appends equations to the program of its arguments and throws BadInput when shapes
// or types do not fit. Binary functions and operators stretch their arguments to a common shape
// (numpy's rules: axes are matched from the right, extents of 1 and missing axes repeat), which
// appends explicit `broadcast` equations; the op records themselves want equal shapes. Axes may be
// counted from the end (-1 is the last one).
//
// Masks are floating: 1 for true, 0 for false. Indices are int32 and must be in range: the oracle
// throws BadInput for an index outside, fast kernels do not look.

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "outerloop/ir/builder.h"

namespace outerloop {

using Axes = std::vector<int64_t>;

// ---- Constants -------------------------------------------------------------------------------

Expr constant(Builder& builder, double value, TensorType type);  // every element equal
Expr full_like(Expr x, double value);
Expr zeros_like(Expr x);
Expr ones_like(Expr x);
// int32 0 … count-1.
Expr iota(Builder& builder, int64_t count);
Expr identity_matrix(Builder& builder, int64_t size, DType dtype);

// ---- One element at a time -------------------------------------------------------------------

Expr neg(Expr x);
Expr exp(Expr x);
Expr log(Expr x);
Expr sqrt(Expr x);   // the derivative at 0 is taken as 0
Expr rsqrt(Expr x);  // 1 / sqrt(x)
Expr tanh(Expr x);
Expr logistic(Expr x);  // 1 / (1 + exp(-x))
Expr sin(Expr x);       // for |x| < 1e5
Expr cos(Expr x);
Expr abs(Expr x);   // derivative 0 at 0
Expr relu(Expr x);  // max(x, 0), derivative 0 at 0
Expr square(Expr x);
Expr reciprocal(Expr x);
Expr sign(Expr x);                  // -1, 0, 1; derivative 0
Expr pow(Expr x, double exponent);  // x < 0 gives NaN unless the exponent is a whole number
Expr stop_gradient(Expr x);         // x itself, a constant for differentiation

Expr add(Expr a, Expr b);
Expr sub(Expr a, Expr b);
Expr mul(Expr a, Expr b);
Expr div(Expr a, Expr b);
Expr maximum(Expr a, Expr b);  // a > b ? a : b; at ties the derivative goes to b
Expr minimum(Expr a, Expr b);  // a < b ? a : b; the same
Expr less(Expr a, Expr b);     // masks, derivative 0
Expr less_equal(Expr a, Expr b);
Expr equal(Expr a, Expr b);
Expr select(Expr mask, Expr if_true, Expr if_false);  // mask != 0

Expr plus(Expr a, Expr b);  // a + b, where an invalid Expr is zero
Expr operator+(Expr a, Expr b);
Expr operator-(Expr a, Expr b);
Expr operator*(Expr a, Expr b);
Expr operator/(Expr a, Expr b);
Expr operator-(Expr x);
Expr operator+(Expr a, double b);
Expr operator-(Expr a, double b);
Expr operator*(Expr a, double b);
Expr operator/(Expr a, double b);
Expr operator+(double a, Expr b);
Expr operator-(double a, Expr b);
Expr operator*(double a, Expr b);
Expr operator/(double a, Expr b);

// ---- Over axes -------------------------------------------------------------------------------

// These remove the axes; bring them back with expand_dims, or use the _keep forms.
Expr sum(Expr x, const Axes& axes);
Expr sum(Expr x);  // over all axes: a scalar
Expr mean(Expr x, const Axes& axes);
Expr mean(Expr x);
Expr reduce_max(Expr x, const Axes& axes);  // at ties the derivative is shared equally
Expr reduce_max(Expr x);
Expr sum_keep(Expr x, const Axes& axes);  // the axes stay with extent 1
Expr mean_keep(Expr x, const Axes& axes);
Expr reduce_max_keep(Expr x, const Axes& axes);

// Repeats along missing axes and axes of extent 1 (numpy's rules).
Expr broadcast_to(Expr x, const Shape& shape);
// Axis i of x becomes axis axes[i] of the result (rising, equal extents); the other axes repeat.
Expr broadcast_in_dim(Expr x, const Shape& shape, const Axes& axes);
Shape common_shape(const Shape& a, const Shape& b);

// ---- Movement --------------------------------------------------------------------------------

Expr reshape(Expr x, const Shape& shape);    // row-major order
Expr expand_dims(Expr x, const Axes& axes);  // inserts extents of 1 at these axes of the result
// Axis i of the result is axis permutation[i] of x.
Expr transpose(Expr x, const Axes& permutation);
Expr transpose(Expr x);  // swaps the last two axes
// Per axis: elements starts, starts + strides, … below limits.
Expr slice(Expr x, const Axes& starts, const Axes& limits, const Axes& strides = {});
Expr slice_axis(Expr x, int64_t axis, int64_t start, int64_t limit);
// Zeros before, after and between (`interior` each) the elements of each axis.
Expr pad(Expr x, const Axes& low, const Axes& high, const Axes& interior = {});
Expr concat(std::span<const Expr> parts, int64_t axis);
Expr concat(std::initializer_list<Expr> parts, int64_t axis);

// ---- By index --------------------------------------------------------------------------------

// x (…, n, …), indices (m,) -> (…, m, …): element j along the axis is element indices[j] of x.
Expr gather(Expr x, Expr indices, int64_t axis);
// The adjoint: zeros with `extent` along the axis, to which the updates are added in rising j.
Expr scatter_add(Expr updates, Expr indices, int64_t axis, int64_t extent);
// x (n, m), indices (n,) -> (n,): x[i, indices[i]].
Expr take_per_row(Expr x, Expr indices);
// The adjoint: values (n,) -> (n, columns), zero elsewhere.
Expr put_per_row(Expr values, Expr indices, int64_t columns);
// Elements of x at row-major positions; the result has the shape of the indices.
Expr take(Expr x, Expr indices);
// The adjoint: zeros of `shape`, to which values are added at row-major positions, in order.
Expr scatter(Expr values, Expr indices, const Shape& shape);
// x (N, H, W, C) -> int32 (N, H', W', C): the row-major position in x of each window's maximum, the
// first one at ties. VALID windows: H' = (H - window) / stride + 1, rounded down.
Expr max_pool_index(Expr x, int64_t window, int64_t stride);
// labels (…) -> (…, classes): 1 at the label, 0 elsewhere.
Expr one_hot(Expr labels, int64_t classes, DType dtype);

// ---- Linear algebra --------------------------------------------------------------------------

// (…, m, k) x (…, k, n) -> (…, m, n) with equal leading axes. A flag says that the argument is
// stored with its last two axes swapped.
Expr matmul(Expr a, Expr b, bool transpose_a = false, bool transpose_b = false);
// a (n, n) symmetric positive definite -> L, lower, zeros above the diagonal, a = L L^T. Reads the
// lower triangle only; the gradient above the diagonal is 0. NaN when a is not positive definite.
Expr cholesky(Expr a);
// Solves op(T) X = b for b (n, m), T = the lower or upper triangle of `matrix` (n, n), op =
// transposition or nothing. The other triangle is not read; its gradient is 0.
Expr triangular_solve(Expr matrix, Expr b, bool lower = true, bool transposed = false);
// Solves a X = b for a symmetric positive definite (lower triangle read), b (n, m).
Expr spd_solve(Expr a, Expr b);
// Keeps one triangle of x (n, n), its diagonal times `diagonal`; zeros elsewhere.
Expr triangle(Expr x, bool lower = true, double diagonal = 1);

// ---- Convolution: NHWC images, HWIO filters, cross-correlation --------------------------------

struct Pads2d {
  int64_t top = 0, bottom = 0, left = 0, right = 0;
  bool operator==(const Pads2d&) const = default;
};
// SAME by the rule of XLA and TensorFlow: out = ceil(n / stride), the odd row or column goes below
// and to the right.
Pads2d same_pads(int64_t height, int64_t width, int64_t kernel_height, int64_t kernel_width,
                 int64_t stride);

// x (N, H, W, C), w (p, q, C, O) -> (N, H', W', O), H' = (H + top + bottom - p) / stride + 1.
Expr conv2d(Expr x, Expr w, int64_t stride, const Pads2d& pads);
// The cotangent of x: dy (N, H', W', O), w -> (N, height, width, C).
Expr conv2d_input(Expr dy, Expr w, int64_t stride, const Pads2d& pads, int64_t height,
                  int64_t width);
// The cotangent of w: x, dy -> (kernel_height, kernel_width, C, O).
Expr conv2d_filter(Expr x, Expr dy, int64_t stride, const Pads2d& pads, int64_t kernel_height,
                   int64_t kernel_width);

// ---- Random ----------------------------------------------------------------------------------

// Uniform in [0, 1), multiples of 2^-24 (the same numbers in f32 and f64), in row-major order from
// the Philox stream {seed = key[0] + 2^32 key[1], Purpose::dropout, iteration = key[2] +
// 2^32 stream, slot = key[3]} of outerloop/base/philox.h; key is int32 (4,), its words taken as
// unsigned. 0 <= stream < kUniformStreams; different streams of a program are independent.
inline constexpr int64_t kUniformStreams = 1 << 16;
Expr random_uniform(Expr key, int64_t stream, TensorType type);

}  // namespace outerloop
