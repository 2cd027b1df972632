#pragma once
// The three directions of a convolution as matrix products (exec/cuda/device/tile.h). Offsets into
// the gathered operand are the sum of one part by row and one by step, in all directions.
//
// G holds the constants: kHeight, kWidth, kIn, kOutHeight, kOutWidth, kOut, kKernelHeight,
// kKernelWidth, kStride, kTop, kLeft. A state of a pixel is a mask of the taps that it takes part
// in, a state of a tap is its number.

#include "exec/cuda/device/arithmetic.h"

namespace ol {

// Masks of kernel rows and columns to a mask of taps.
template <class G, class State>
OL_DEVICE State taps_of(State rows, State columns) {
  State taps = 0;
#pragma unroll
  for (int p = 0; p < G::kKernelHeight; ++p) {
    if (rows >> p & 1) taps |= columns << (p * G::kKernelWidth);
  }
  return taps;
}

// Whether the image row (column) under each tap is inside, from where the first tap falls.
template <int Taps, int Extent, class State>
OL_DEVICE State taps_inside(int first) {
  State taps = 0;
#pragma unroll
  for (int p = 0; p < Taps; ++p) {
    if (first + p >= 0 && first + p < Extent) taps |= State(1) << p;
  }
  return taps;
}

// Whether there is an output row (column) whose tap p is over an image row.
template <int Taps, int Stride, int Extent, class State>
OL_DEVICE State taps_reaching(int padded) {
  State taps = 0;
#pragma unroll
  for (int p = 0; p < Taps; ++p) {
    const int scaled = padded - p;
    if (scaled >= 0 && scaled % Stride == 0 && scaled / Stride < Extent) taps |= State(1) << p;
  }
  return taps;
}

// Rows: output pixels. Steps: (tap, input channel). A: the image.
template <class G, class State>
struct ConvForward {
  static OL_DEVICE int a_row(unsigned row) {
    const int j = row % G::kOutWidth, i = row / G::kOutWidth % G::kOutHeight;
    const int image = row / (G::kOutWidth * G::kOutHeight);
    return ((image * G::kHeight + i * G::kStride - G::kTop) * G::kWidth + j * G::kStride -
            G::kLeft) *
           G::kIn;
  }
  static OL_DEVICE int a_k(unsigned k) {
    const int c = k % G::kIn, tap = k / G::kIn;
    return (tap / G::kKernelWidth * G::kWidth + tap % G::kKernelWidth) * G::kIn + c;
  }
  static OL_DEVICE State row_state(unsigned row) {
    const int j = row % G::kOutWidth, i = row / G::kOutWidth % G::kOutHeight;
    return taps_of<G>(taps_inside<G::kKernelHeight, G::kHeight, State>(i * G::kStride - G::kTop),
                      taps_inside<G::kKernelWidth, G::kWidth, State>(j * G::kStride - G::kLeft));
  }
  static OL_DEVICE State k_state(unsigned k) { return k / G::kIn; }
  static OL_DEVICE bool takes(State row, State k) { return row >> k & 1; }
};

// Rows: input pixels. Steps: (tap, output channel). A: the output's cotangent. Input row h takes
// output row (h + top - p) / stride through tap p where that is whole, which is
// (h + top) / stride - p / stride, both rounded down.
template <class G, class State>
struct ConvInput {
  static OL_DEVICE int a_row(unsigned row) {
    const int j = row % G::kWidth, i = row / G::kWidth % G::kHeight;
    const int image = row / (G::kWidth * G::kHeight);
    return ((image * G::kOutHeight + (i + G::kTop) / G::kStride) * G::kOutWidth +
            (j + G::kLeft) / G::kStride) *
           G::kOut;
  }
  static OL_DEVICE int a_k(unsigned k) {
    const int o = k % G::kOut, tap = k / G::kOut;
    const int p = tap / G::kKernelWidth, q = tap % G::kKernelWidth;
    return o - (p / G::kStride * G::kOutWidth + q / G::kStride) * G::kOut;
  }
  static OL_DEVICE State row_state(unsigned row) {
    const int j = row % G::kWidth, i = row / G::kWidth % G::kHeight;
    return taps_of<G>(
        taps_reaching<G::kKernelHeight, G::kStride, G::kOutHeight, State>(i + G::kTop),
        taps_reaching<G::kKernelWidth, G::kStride, G::kOutWidth, State>(j + G::kLeft));
  }
  static OL_DEVICE State k_state(unsigned k) { return k / G::kOut; }
  static OL_DEVICE bool takes(State row, State k) { return row >> k & 1; }
};

// Rows: (tap, input channel). Steps: output pixels of all images. A: the image.
template <class G, class State>
struct ConvFilter {
  static OL_DEVICE int a_row(unsigned row) {
    const int c = row % G::kIn, tap = row / G::kIn;
    return ((tap / G::kKernelWidth - G::kTop) * G::kWidth + tap % G::kKernelWidth - G::kLeft) *
               G::kIn +
           c;
  }
  static OL_DEVICE int a_k(unsigned k) {
    const int j = k % G::kOutWidth, i = k / G::kOutWidth % G::kOutHeight;
    const int image = k / (G::kOutWidth * G::kOutHeight);
    return ((image * G::kHeight + i * G::kStride) * G::kWidth + j * G::kStride) * G::kIn;
  }
  static OL_DEVICE State row_state(unsigned row) { return row / G::kIn; }
  static OL_DEVICE State k_state(unsigned k) {
    const int j = k % G::kOutWidth, i = k / G::kOutWidth % G::kOutHeight;
    return taps_of<G>(taps_inside<G::kKernelHeight, G::kHeight, State>(i * G::kStride - G::kTop),
                      taps_inside<G::kKernelWidth, G::kWidth, State>(j * G::kStride - G::kLeft));
  }
  static OL_DEVICE bool takes(State row, State k) { return k >> row & 1; }
};

// A plain product: every step counts.
struct EveryStep {
  static OL_DEVICE unsigned row_state(unsigned) { return 0; }
  static OL_DEVICE unsigned k_state(unsigned) { return 0; }
  static OL_DEVICE bool takes(unsigned, unsigned) { return true; }
};

}  // namespace ol
