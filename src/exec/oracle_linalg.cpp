// Products, convolutions and triangular factors as chains of fused multiply-adds.
//
//   matmul            y[i,j]: over k, rising, from +0
//   conv2d            over (p, q, c): taps on padding are left out
//   conv2d_input      over (p, q, o): taps without an output pixel are left out
//   conv2d_filter     over (image, row, column) of dy whose tap falls inside the image
//   cholesky          l[i,j]: from a[i,j] over k < j with -l[i,k] l[j,k]; then sqrt, or / l[j,j]
//   triangular_solve  x[i]: from b[i] over the solved k, rising, with -t[i,k] x[k]; then / t[i,i]

#include <cmath>
#include <optional>

#include "exec/oracle_kernels.h"

namespace outerloop::exec::oracle {
namespace {

// A matrix in a buffer.
template <class T>
struct Matrix {
  T* data;
  int64_t row, column;  // strides
  T& operator()(int64_t i, int64_t j) const { return data[i * row + j * column]; }
};

template <class T>
Matrix<T> matrix(T* data, int64_t columns, bool transposed) {
  return transposed ? Matrix<T>{data, 1, columns} : Matrix<T>{data, columns, 1};
}

// A four-dimensional tensor.
template <class T>
struct Array4 {
  T* data;
  Shape shape;
  T& operator()(int64_t a, int64_t b, int64_t c, int64_t d) const {
    return data[((a * shape[1] + b) * shape[2] + c) * shape[3] + d];
  }
};
template <class T>
Array4<const T> array4(const Tensor& tensor) {
  return {tensor.as<T>().data(), tensor.shape()};
}
template <class T>
Array4<T> array4(Tensor& tensor) {
  return {tensor.as<T>().data(), tensor.shape()};
}

// Visits every element in row-major order.
template <class T, class Function>
void fill(const Array4<T>& array, Function&& function) {
  const Shape& s = array.shape;
  for (int64_t a = 0; a < s[0]; ++a) {
    for (int64_t b = 0; b < s[1]; ++b) {
      for (int64_t c = 0; c < s[2]; ++c) {
        for (int64_t d = 0; d < s[3]; ++d) array(a, b, c, d) = function(a, b, c, d);
      }
    }
  }
}

struct Window {
  int64_t stride, top, left;
  explicit Window(const Attributes& attributes)
      : stride(attributes.integer("stride")),
        top(attributes.integers("pads")[0]),
        left(attributes.integers("pads")[2]) {}

  // The image row (column) under a tap, if it is inside.
  static std::optional<int64_t> inside(int64_t place, int64_t extent) {
    if (place < 0 || place >= extent) return {};
    return place;
  }
  std::optional<int64_t> row(int64_t out, int64_t tap, int64_t height) const {
    return inside(out * stride + tap - top, height);
  }
  std::optional<int64_t> column(int64_t out, int64_t tap, int64_t width) const {
    return inside(out * stride + tap - left, width);
  }
  // The output row (column) whose tap is over an image row, if there is one.
  std::optional<int64_t> output(int64_t place, int64_t tap, int64_t pad, int64_t extent) const {
    const int64_t shifted = place + pad - tap;
    if (shifted < 0 || shifted % stride != 0) return {};
    return inside(shifted / stride, extent);
  }
};

}  // namespace

void matmul(const Attributes& attributes, Tensors inputs, Tensor& output) {
  const bool ta = attributes.integer("transpose_a") != 0;
  const bool tb = attributes.integer("transpose_b") != 0;
  const auto extents = [](const Tensor& t) {
    const int rank = t.shape().rank();
    return std::pair{t.shape()[rank - 2], t.shape()[rank - 1]};
  };
  const auto [m, n] = extents(output);
  const auto [a_rows, a_columns] = extents(inputs[0]);
  const auto [b_rows, b_columns] = extents(inputs[1]);
  const int64_t depth = ta ? a_rows : a_columns;
  const int64_t batch = m * n == 0 ? 0 : output.elements() / (m * n);
  by_floating_type(output.dtype(), [&, m = m, n = n, ac = a_columns, bc = b_columns]<class T>(T) {
    for (int64_t s = 0; s < batch; ++s) {
      const auto a = matrix(inputs[0].as<T>().data() + s * m * depth, ac, ta);
      const auto b = matrix(inputs[1].as<T>().data() + s * depth * n, bc, tb);
      const auto y = matrix(output.as<T>().data() + s * m * n, n, false);
      for (int64_t i = 0; i < m; ++i) {
        for (int64_t j = 0; j < n; ++j) {
          T sum{0};
          for (int64_t k = 0; k < depth; ++k) sum = std::fma(a(i, k), b(k, j), sum);
          y(i, j) = sum;
        }
      }
    }
  });
}

void conv2d(const Attributes& attributes, Tensors inputs, Tensor& output) {
  const Window window(attributes);
  by_floating_type(output.dtype(), [&]<class T>(T) {
    const auto x = array4<T>(inputs[0]);
    const auto w = array4<T>(inputs[1]);
    fill(array4<T>(output), [&](int64_t image, int64_t i, int64_t j, int64_t o) {
      T sum{0};
      for (int64_t p = 0; p < w.shape[0]; ++p) {
        for (int64_t q = 0; q < w.shape[1]; ++q) {
          const auto row = window.row(i, p, x.shape[1]);
          const auto column = window.column(j, q, x.shape[2]);
          if (!row || !column) continue;
          for (int64_t c = 0; c < w.shape[2]; ++c) {
            sum = std::fma(x(image, *row, *column, c), w(p, q, c, o), sum);
          }
        }
      }
      return sum;
    });
  });
}

void conv2d_input(const Attributes& attributes, Tensors inputs, Tensor& output) {
  const Window window(attributes);
  by_floating_type(output.dtype(), [&]<class T>(T) {
    const auto dy = array4<T>(inputs[0]);
    const auto w = array4<T>(inputs[1]);  // (p, q, O, C)
    fill(array4<T>(output), [&](int64_t image, int64_t row, int64_t column, int64_t c) {
      T sum{0};
      for (int64_t p = 0; p < w.shape[0]; ++p) {
        for (int64_t q = 0; q < w.shape[1]; ++q) {
          const auto i = window.output(row, p, window.top, dy.shape[1]);
          const auto j = window.output(column, q, window.left, dy.shape[2]);
          if (!i || !j) continue;
          for (int64_t o = 0; o < w.shape[2]; ++o) {
            sum = std::fma(dy(image, *i, *j, o), w(p, q, o, c), sum);
          }
        }
      }
      return sum;
    });
  });
}

void conv2d_filter(const Attributes& attributes, Tensors inputs, Tensor& output) {
  const Window window(attributes);
  by_floating_type(output.dtype(), [&]<class T>(T) {
    const auto x = array4<T>(inputs[0]);
    const auto dy = array4<T>(inputs[1]);
    fill(array4<T>(output), [&](int64_t p, int64_t q, int64_t c, int64_t o) {
      T sum{0};
      for (int64_t image = 0; image < dy.shape[0]; ++image) {
        for (int64_t i = 0; i < dy.shape[1]; ++i) {
          for (int64_t j = 0; j < dy.shape[2]; ++j) {
            const auto row = window.row(i, p, x.shape[1]);
            const auto column = window.column(j, q, x.shape[2]);
            if (!row || !column) continue;
            sum = std::fma(x(image, *row, *column, c), dy(image, i, j, o), sum);
          }
        }
      }
      return sum;
    });
  });
}

void cholesky(const Attributes&, Tensors inputs, Tensor& output) {
  const int64_t n = output.shape()[0];
  by_floating_type(output.dtype(), [&]<class T>(T) {
    const auto a = matrix(inputs[0].as<T>().data(), n, false);
    const auto l = matrix(output.as<T>().data(), n, false);
    for (int64_t j = 0; j < n; ++j) {
      for (int64_t i = j; i < n; ++i) {
        T rest = a(i, j);
        for (int64_t k = 0; k < j; ++k) rest = std::fma(-l(i, k), l(j, k), rest);
        l(i, j) = i == j ? std::sqrt(rest) : rest / l(j, j);
      }
    }
  });
}

void triangular_solve(const Attributes& attributes, Tensors inputs, Tensor& output) {
  const bool lower = attributes.integer("lower") != 0;
  const bool transposed = attributes.integer("transposed") != 0;
  const bool forward = lower != transposed;  // from the first row down
  const int64_t n = output.shape()[0], columns = output.shape()[1];
  by_floating_type(output.dtype(), [&]<class T>(T) {
    const auto t = matrix(inputs[0].as<T>().data(), n, transposed);
    const auto b = matrix(inputs[1].as<T>().data(), columns, false);
    const auto x = matrix(output.as<T>().data(), columns, false);
    for (int64_t step = 0; step < n; ++step) {
      const int64_t i = forward ? step : n - 1 - step;
      for (int64_t j = 0; j < columns; ++j) {
        T rest = b(i, j);
        for (int64_t k = forward ? 0 : i + 1; k < (forward ? i : n); ++k) {
          rest = std::fma(-t(i, k), x(k, j), rest);
        }
        x(i, j) = rest / t(i, i);
      }
    }
  });
}

void triangle(const Attributes& attributes, Tensors inputs, Tensor& output) {
  const bool lower = attributes.integer("lower") != 0;
  const int64_t n = output.shape()[0];
  by_floating_type(output.dtype(), [&]<class T>(T) {
    const auto x = matrix(inputs[0].as<T>().data(), n, false);
    const auto y = matrix(output.as<T>().data(), n, false);
    const T diagonal = static_cast<T>(attributes.real("diagonal"));
    for (int64_t i = 0; i < n; ++i) {
      y(i, i) = x(i, i) * diagonal;
      for (int64_t j = lower ? 0 : i + 1; j < (lower ? i : n); ++j) y(i, j) = x(i, j);
    }
  });
}

}  // namespace outerloop::exec::oracle
