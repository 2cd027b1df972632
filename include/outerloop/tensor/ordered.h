#pragma once
// Ordered arithmetic: the one sequence of IEEE operations that defines each result (numerics:
// ordered). Vector code, the scalar oracle and the GPU follow it, so that all give the same bits.
//
//   contraction (matmul, convolution): an FMA chain from +0 in (tap, k) order,
//       acc = fma(a, b, acc); taps of a convolution that fall on padding are not part of the chain.
//       The filter gradient of a convolution chains over (image, row, column) of the output.
//   sum over a contiguous axis (the innermost, collapsed): element i goes to accumulator
//       i % kContiguousWays, in order, from +0; then a halving tree acc[i] += acc[i + ways/2], …
//   sum over outer axes (the innermost is kept): row r goes to accumulator r % kRowWays of its
//       column, in order, from +0; then the same halving tree.
//   maximum: the same shapes with max(acc, x) from -inf.
// Everything elementwise is one rounding per ScalarOp.

namespace outerloop {

inline constexpr int kContiguousWays = 32;
inline constexpr int kRowWays = 4;

}  // namespace outerloop
