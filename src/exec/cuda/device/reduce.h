#pragma once
// Sums and maxima in the fixed shape of outerloop/tensor/ordered.h: element i goes to accumulator
// i % ways, in order, then a halving tree.

#include "exec/cuda/device/arithmetic.h"

namespace ol {

inline constexpr int kContiguousWays = 32;  // one per thread of a warp
inline constexpr int kRowWays = 4;

struct Sum {
  template <class T>
  static OL_DEVICE T start() {
    return T(0);
  }
  template <class T>
  static OL_DEVICE T combine(T accumulator, T x) {
    return add(accumulator, x);
  }
};

struct Max {
  template <class T>
  static OL_DEVICE T start() {
    return minus_infinity(T());
  }
  template <class T>
  static OL_DEVICE T combine(T accumulator, T x) {
    return max(accumulator, x);
  }
};

// The tree over accumulators of one thread, of which the first Count had elements.
template <class Combine, int Ways, int Count, class T>
OL_DEVICE T tree(T (&accumulators)[Count]) {
#pragma unroll
  for (int half = Ways / 2; half > 0; half /= 2) {
#pragma unroll
    for (int i = 0; i < half && i < Count; ++i) {
      const T other = i + half < Count ? accumulators[i + half] : Combine::template start<T>();
      accumulators[i] = Combine::combine(accumulators[i], other);
    }
  }
  return accumulators[0];
}

// The same over the accumulators of a warp's threads; thread 0 of the warp has the result.
template <class Combine, class T>
OL_DEVICE T warp_tree(T accumulator) {
#pragma unroll
  for (int half = kContiguousWays / 2; half > 0; half /= 2) {
    const T other = __shfl_down_sync(0xFFFFFFFFU, accumulator, half);
    accumulator = Combine::combine(accumulator, other);
  }
  return accumulator;
}

// The same over kRowWays accumulators in memory, `stride` elements apart.
template <class Combine, class T>
OL_DEVICE T row_tree(const T* accumulators, int stride) {
  const T even = Combine::combine(accumulators[0], accumulators[2 * stride]);
  const T odd = Combine::combine(accumulators[stride], accumulators[3 * stride]);
  return Combine::combine(even, odd);
}

}  // namespace ol
