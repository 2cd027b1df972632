#include <cmath>

#include "exec/cpu/matmul_oracle.h"

namespace outerloop::exec {
namespace {

bool inside(int64_t position, int64_t extent) {
  return position >= 0 && position < extent;
}

// Operands x (N,H,W,C), w (kh,kw,C,O).
template <class T>
void run_forward(const void* state, void* const* operands) {
  const auto& spec = *static_cast<const ConvSpec*>(state);
  const ConvGeometry& g = spec.geometry;
  const auto* x = static_cast<const T*>(operands[0]);
  const auto* w = static_cast<const T*>(operands[1]);
  EpilogueOracle<T> epilogue(spec.epilogue, operands + 2);
  const auto chain = [&](int64_t n, int64_t i, int64_t j, int64_t o) {
    T sum = 0;
    for (int64_t p = 0; p < g.kernel_height; ++p) {
      const int64_t row = i * g.stride + p - g.pad_top;
      if (!inside(row, g.height)) continue;
      for (int64_t q = 0; q < g.kernel_width; ++q) {
        const int64_t column = j * g.stride + q - g.pad_left;
        if (!inside(column, g.width)) continue;
        const T* pixel = x + ((n * g.height + row) * g.width + column) * g.in_channels;
        const T* tap = w + (p * g.kernel_width + q) * g.in_channels * g.out_channels + o;
        for (int64_t c = 0; c < g.in_channels; ++c) {
          sum = std::fma(pixel[c], tap[c * g.out_channels], sum);
        }
      }
    }
    return sum;
  };
  int64_t pixel = 0;
  for (int64_t n = 0; n < g.images; ++n) {
    for (int64_t i = 0; i < g.out_height; ++i) {
      for (int64_t j = 0; j < g.out_width; ++j, ++pixel) {
        for (int64_t o = 0; o < g.out_channels; ++o) {
          epilogue.apply(chain(n, i, j, o), 0, pixel, o);
        }
      }
    }
  }
}

// Operands dy (N,OH,OW,O), w^T (kh,kw,O,C).
template <class T>
void run_input(const void* state, void* const* operands) {
  const auto& spec = *static_cast<const ConvSpec*>(state);
  const ConvGeometry& g = spec.geometry;
  const auto* dy = static_cast<const T*>(operands[0]);
  const auto* w = static_cast<const T*>(operands[1]);
  EpilogueOracle<T> epilogue(spec.epilogue, operands + 2);
  // The output position that reads input position `at` through tap p; -1 if there is none.
  const auto reader = [&](int64_t at, int64_t p, int64_t pad, int64_t extent) {
    const int64_t scaled = at + pad - p;
    if (scaled < 0 || scaled % g.stride != 0) return int64_t{-1};
    return inside(scaled / g.stride, extent) ? scaled / g.stride : -1;
  };
  const auto chain = [&](int64_t n, int64_t h, int64_t column, int64_t c) {
    T sum = 0;
    for (int64_t p = 0; p < g.kernel_height; ++p) {
      const int64_t i = reader(h, p, g.pad_top, g.out_height);
      if (i < 0) continue;
      for (int64_t q = 0; q < g.kernel_width; ++q) {
        const int64_t j = reader(column, q, g.pad_left, g.out_width);
        if (j < 0) continue;
        const T* pixel = dy + ((n * g.out_height + i) * g.out_width + j) * g.out_channels;
        const T* tap = w + (p * g.kernel_width + q) * g.in_channels * g.out_channels + c;
        for (int64_t o = 0; o < g.out_channels; ++o) {
          sum = std::fma(pixel[o], tap[o * g.in_channels], sum);
        }
      }
    }
    return sum;
  };
  int64_t pixel = 0;
  for (int64_t n = 0; n < g.images; ++n) {
    for (int64_t h = 0; h < g.height; ++h) {
      for (int64_t column = 0; column < g.width; ++column, ++pixel) {
        for (int64_t c = 0; c < g.in_channels; ++c) {
          epilogue.apply(chain(n, h, column, c), 0, pixel, c);
        }
      }
    }
  }
}

// Operands x (N,H,W,C), dy (N,OH,OW,O).
template <class T>
void run_filter(const void* state, void* const* operands) {
  const auto& spec = *static_cast<const ConvSpec*>(state);
  const ConvGeometry& g = spec.geometry;
  const auto* x = static_cast<const T*>(operands[0]);
  const auto* dy = static_cast<const T*>(operands[1]);
  EpilogueOracle<T> epilogue(spec.epilogue, operands + 2);
  const auto chain = [&](int64_t p, int64_t q, int64_t c, int64_t o) {
    T sum = 0;
    for (int64_t n = 0; n < g.images; ++n) {
      for (int64_t i = 0; i < g.out_height; ++i) {
        const int64_t row = i * g.stride + p - g.pad_top;
        if (!inside(row, g.height)) continue;
        for (int64_t j = 0; j < g.out_width; ++j) {
          const int64_t column = j * g.stride + q - g.pad_left;
          if (!inside(column, g.width)) continue;
          sum = std::fma(x[((n * g.height + row) * g.width + column) * g.in_channels + c],
                         dy[((n * g.out_height + i) * g.out_width + j) * g.out_channels + o], sum);
        }
      }
    }
    return sum;
  };
  int64_t row = 0;
  for (int64_t p = 0; p < g.kernel_height; ++p) {
    for (int64_t q = 0; q < g.kernel_width; ++q) {
      for (int64_t c = 0; c < g.in_channels; ++c, ++row) {
        for (int64_t o = 0; o < g.out_channels; ++o) {
          epilogue.apply(chain(p, q, c, o), 0, row, o);
        }
      }
    }
  }
}

template <class T>
Kernel::Function function_of(ConvDirection direction) {
  switch (direction) {
    case ConvDirection::forward:
      return run_forward<T>;
    case ConvDirection::input:
      return run_input<T>;
    case ConvDirection::filter:
      return run_filter<T>;
  }
  return nullptr;
}

}  // namespace

Kernel make_conv_oracle(const ConvSpec& spec) {
  return {spec.dtype == DType::f64 ? function_of<double>(spec.direction)
                                   : function_of<float>(spec.direction),
          std::make_shared<const ConvSpec>(spec)};
}

}  // namespace outerloop::exec
