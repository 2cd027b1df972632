#pragma once
// Triangular factors of small matrices, row-major: chains as in the oracle
// (exec/oracle_linalg.cpp).

#include "exec/cuda/device/arithmetic.h"

namespace ol {

// l (n, n), zeros above the diagonal, from the lower triangle of a. One block.
template <int N, class T>
OL_DEVICE void cholesky(const T* a, T* l) {
  for (int e = threadIdx.x; e < N * N; e += blockDim.x) {
    if (e % N > e / N) l[e] = T(0);
  }
  for (int j = 0; j < N; ++j) {
    if (static_cast<int>(threadIdx.x) == 0) {
      T rest = a[j * N + j];
      for (int k = 0; k < j; ++k) rest = fma(neg(l[j * N + k]), l[j * N + k], rest);
      l[j * N + j] = sqrt(rest);
    }
    __syncthreads();
    for (int i = j + 1 + threadIdx.x; i < N; i += blockDim.x) {
      T rest = a[i * N + j];
      for (int k = 0; k < j; ++k) rest = fma(neg(l[i * N + k]), l[j * N + k], rest);
      l[i * N + j] = div(rest, l[j * N + j]);
    }
    __syncthreads();
  }
}

// Column `column` of x (n, columns): op(t) x = b for a triangle t (n, n).
template <int N, int Columns, bool Lower, bool Transposed, class T>
OL_DEVICE void triangular_solve(const T* t, const T* b, T* x, int column) {
  constexpr bool kForward = Lower != Transposed;  // from the first row down
  constexpr int kRow = Transposed ? 1 : N, kColumn = Transposed ? N : 1;
  for (int step = 0; step < N; ++step) {
    const int i = kForward ? step : N - 1 - step;
    T rest = b[i * Columns + column];
    for (int k = kForward ? 0 : i + 1; k < (kForward ? i : N); ++k) {
      rest = fma(neg(t[i * kRow + k * kColumn]), x[k * Columns + column], rest);
    }
    x[i * Columns + column] = div(rest, t[i * kRow + i * kColumn]);
  }
}

}  // namespace ol
