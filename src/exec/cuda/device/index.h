#pragma once
// Ops led by int32 indices, one element of the result each: element e, row-major. Sums run over
// rising positions of the indices (exec/plan/specs.h, IndexKind).

#include "exec/cuda/device/arithmetic.h"

namespace ol {

template <int Extent, int Inner, int Count, class T>
OL_DEVICE T gather_rows(const T* x, const int* indices, unsigned e) {
  const unsigned i = e % Inner, j = e / Inner % Count, o = e / (Inner * Count);
  return x[(o * Extent + indices[j]) * Inner + i];
}

template <int Extent, int Inner, int Count, class T>
OL_DEVICE T scatter_add_rows(const T* updates, const int* indices, unsigned e) {
  const unsigned i = e % Inner, row = e / Inner % Extent, o = e / (Inner * Extent);
  T sum = T(0);
  for (int j = 0; j < Count; ++j) {
    if (indices[j] == static_cast<int>(row)) sum = add(sum, updates[(o * Count + j) * Inner + i]);
  }
  return sum;
}

// Windows of a pooling: G holds kHeight, kWidth, kChannels, kOutHeight, kOutWidth, kWindow and
// kStride.

// Only windows over an element can have its position as index; they are met in rising order.
template <class G, class T>
OL_DEVICE T scatter_windows(const T* updates, const int* indices, unsigned e) {
  const int c = e % G::kChannels, column = e / G::kChannels % G::kWidth;
  const int row = e / (G::kChannels * G::kWidth) % G::kHeight;
  const int image = e / (G::kChannels * G::kWidth * G::kHeight);
  const int first_row = row < G::kWindow ? 0 : (row - G::kWindow) / G::kStride + 1;
  const int first_column = column < G::kWindow ? 0 : (column - G::kWindow) / G::kStride + 1;
  T sum = T(0);
  for (int i = first_row; i < G::kOutHeight && i * G::kStride <= row; ++i) {
    for (int j = first_column; j < G::kOutWidth && j * G::kStride <= column; ++j) {
      const int place = ((image * G::kOutHeight + i) * G::kOutWidth + j) * G::kChannels + c;
      if (indices[place] == static_cast<int>(e)) sum = add(sum, updates[place]);
    }
  }
  return sum;
}

template <class G, class T>
OL_DEVICE int max_pool_index(const T* x, unsigned e) {
  const int c = e % G::kChannels, column = e / G::kChannels % G::kOutWidth;
  const int row = e / (G::kChannels * G::kOutWidth) % G::kOutHeight;
  const int image = e / (G::kChannels * G::kOutWidth * G::kOutHeight);
  const int first =
      ((image * G::kHeight + row * G::kStride) * G::kWidth + column * G::kStride) * G::kChannels +
      c;
  int best = first;
  T largest = x[first];
#pragma unroll
  for (int tap = 1; tap < G::kWindow * G::kWindow; ++tap) {
    const int place = first + (tap / G::kWindow * G::kWidth + tap % G::kWindow) * G::kChannels;
    const T value = x[place];
    if (value > largest) {
      best = place;
      largest = value;
    }
  }
  return best;
}

}  // namespace ol
