#pragma once
// A matrix product, one tile of the result per block: every element is a chain of fused
// multiply-adds in rising k from +0. Steps that a convolution leaves out (taps on padding) are left
// out here too: adding a product of zero would turn -0 into +0.
//
// A problem P is a struct of constants and functions:
//   T; kM, kN, kK             result rows and columns, length of the chains
//   kBlockM, kBlockN, kBlockK, kThreadM, kThreadN      the tile of a block and of a thread
//   a, b                      operands: A[row, k] = a[a_row(row) + a_k(k)], B[k, j] = b[b_k(k) + j]
//   kSkips                    whether steps are left out: row_state(row), k_state(k) and
//                             takes(row state, k state) say which are taken
//   kSkipsByTap               kBlockK steps, all of one k state, make a chunk
//   kSkipsByThread            the rows of a thread share one row state
//   store(row, column, value)

#include "exec/cuda/device/arithmetic.h"

namespace ol {

template <class P>
struct TileThreads {
  static constexpr int kColumns = P::kBlockN / P::kThreadN;
  static constexpr int kCount = P::kBlockM / P::kThreadM * kColumns;
  static_assert(P::kBlockM % P::kThreadM == 0 && P::kBlockN % P::kThreadN == 0, "whole tiles");
  static_assert(kCount % P::kBlockK == 0 && P::kBlockM * P::kBlockK % kCount == 0, "loads of A");
  static_assert(kCount % P::kBlockN == 0 && P::kBlockN * P::kBlockK % kCount == 0, "loads of B");
};

// The chunk of A and B that is being multiplied. Odd rows of A: threads that write one row hit
// different banks.
template <class P>
struct TileMemory {
  typename P::T a[P::kBlockK][P::kBlockM + 1];
  typename P::T b[P::kBlockK][P::kBlockN];
  typename P::State states[P::kBlockK];
};

template <class P>
struct TileRows {
  unsigned first;  // of this thread
  typename P::State states[P::kThreadM];
};

// One step of every chain of this thread.
template <class P>
OL_DEVICE void tile_step(const TileMemory<P>& memory, const TileRows<P>& rows,
                         const bool (&taken)[P::kThreadM], int k,
                         typename P::T (&sums)[P::kThreadM][P::kThreadN]) {
  constexpr int kColumns = TileThreads<P>::kColumns;
  typename P::T a[P::kThreadM], b[P::kThreadN];
#pragma unroll
  for (int i = 0; i < P::kThreadM; ++i) a[i] = memory.a[k][rows.first + i];
#pragma unroll
  for (int j = 0; j < P::kThreadN; ++j) b[j] = memory.b[k][threadIdx.x % kColumns + j * kColumns];
#pragma unroll
  for (int i = 0; i < P::kThreadM; ++i) {
    bool takes = taken[i];
    if constexpr (P::kSkips && !P::kSkipsByTap) {
      takes = P::takes(rows.states[P::kSkipsByThread ? 0 : i], memory.states[k]);
    }
    if (takes) {
#pragma unroll
      for (int j = 0; j < P::kThreadN; ++j) sums[i][j] = fma(a[i], b[j], sums[i][j]);
    }
  }
}

template <class P>
OL_DEVICE void tile_chunk(const TileMemory<P>& memory, const TileRows<P>& rows, int depth,
                          typename P::T (&sums)[P::kThreadM][P::kThreadN]) {
  bool taken[P::kThreadM];
#pragma unroll
  for (int i = 0; i < P::kThreadM; ++i) {
    taken[i] = true;
    if constexpr (P::kSkipsByTap) taken[i] = P::takes(rows.states[i], memory.states[0]);
  }
  if (depth == P::kBlockK) {
#pragma unroll
    for (int k = 0; k < P::kBlockK; ++k) tile_step<P>(memory, rows, taken, k, sums);
  } else {
#pragma unroll 1
    for (int k = 0; k < depth; ++k) tile_step<P>(memory, rows, taken, k, sums);
  }
}

// Tile (tile_row, tile_column) of the result, by TileThreads<P>::kCount threads. `scratch` is
// shared memory for a TileMemory<P>.
template <class P>
OL_DEVICE void tile(const P& problem, unsigned tile_row, unsigned tile_column, char* scratch) {
  using T = typename P::T;
  using Threads = TileThreads<P>;
  TileMemory<P>& memory = *reinterpret_cast<TileMemory<P>*>(scratch);
  constexpr int kRowsPerLoad = Threads::kCount / P::kBlockK;
  constexpr int kStepsPerLoad = Threads::kCount / P::kBlockN;
  constexpr int kLoadsA = P::kBlockM / kRowsPerLoad;
  constexpr int kLoadsB = P::kBlockK / kStepsPerLoad;

  const unsigned first_row = tile_row * P::kBlockM;
  const unsigned first_column = tile_column * P::kBlockN;
  // What this thread loads: step `a_step` of rows kRowsPerLoad apart, and one column of B.
  const int a_step = threadIdx.x % P::kBlockK;
  const unsigned b_column = first_column + threadIdx.x % P::kBlockN;
  int a_rows[kLoadsA];
  typename P::State a_states[kLoadsA];
#pragma unroll
  for (int s = 0; s < kLoadsA; ++s) {
    const unsigned row = first_row + threadIdx.x / P::kBlockK + s * kRowsPerLoad;
    a_rows[s] = row < P::kM ? P::a_row(row) : 0;
    a_states[s] = row < P::kM ? P::row_state(row) : 0;
  }
  TileRows<P> rows;
  rows.first = threadIdx.x / Threads::kColumns * P::kThreadM;
#pragma unroll
  for (int i = 0; i < P::kThreadM; ++i) {
    const unsigned row = first_row + rows.first + i;
    rows.states[i] = row < P::kM ? P::row_state(row) : 0;
  }

  T sums[P::kThreadM][P::kThreadN];
#pragma unroll
  for (int i = 0; i < P::kThreadM; ++i) {
#pragma unroll
    for (int j = 0; j < P::kThreadN; ++j) sums[i][j] = T(0);
  }
  for (unsigned first = 0; first < P::kK; first += P::kBlockK) {
    const unsigned k = first + a_step;
    const typename P::State state = k < P::kK ? P::k_state(k) : 0;
    const int a_k = k < P::kK ? P::a_k(k) : 0;
#pragma unroll
    for (int s = 0; s < kLoadsA; ++s) {
      const int row = threadIdx.x / P::kBlockK + s * kRowsPerLoad;
      const bool takes = k < P::kK && first_row + row < P::kM && P::takes(a_states[s], state);
      memory.a[a_step][row] = takes ? problem.a[a_rows[s] + a_k] : T(0);
    }
#pragma unroll
    for (int s = 0; s < kLoadsB; ++s) {
      const int step = threadIdx.x / P::kBlockN + s * kStepsPerLoad;
      const bool inside = first + step < P::kK && b_column < P::kN;
      memory.b[step][threadIdx.x % P::kBlockN] =
          inside ? problem.b[P::b_k(first + step) + b_column] : T(0);
    }
    if (threadIdx.x < P::kBlockK) memory.states[a_step] = state;
    __syncthreads();
    const unsigned left = P::kK - first;
    tile_chunk<P>(memory, rows, left < P::kBlockK ? left : P::kBlockK, sums);
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < P::kThreadM; ++i) {
    const unsigned row = first_row + rows.first + i;
#pragma unroll
    for (int j = 0; j < P::kThreadN; ++j) {
      const unsigned column =
          first_column + threadIdx.x % Threads::kColumns + j * Threads::kColumns;
      if (row < P::kM && column < P::kN) problem.store(row, column, sums[i][j]);
    }
  }
}

}  // namespace ol
