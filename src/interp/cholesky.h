#pragma once
// Symmetric positive definite systems of a few unknowns.

#include <cmath>
#include <cstddef>
#include <limits>
#include <span>

namespace outerloop::interp {

// Solves A x = b in place of b by A = L L'. a: (n, n), row-major; its lower triangle is replaced by
// L. False when A is not positive definite (a pivot lost all its digits).
template <class T>
bool solve_spd(std::span<T> a, std::span<T> b) {
  const size_t n = b.size();
  const T lost = 8 * static_cast<T>(n) * std::numeric_limits<T>::epsilon();
  const auto at = [&](size_t row, size_t column) -> T& { return a[row * n + column]; };
  for (size_t j = 0; j < n; ++j) {
    const T diagonal = at(j, j);
    T pivot = diagonal;
    for (size_t k = 0; k < j; ++k) pivot -= at(j, k) * at(j, k);
    if (!(pivot > lost * diagonal)) return false;
    at(j, j) = std::sqrt(pivot);
    for (size_t i = j + 1; i < n; ++i) {
      T value = at(i, j);
      for (size_t k = 0; k < j; ++k) value -= at(i, k) * at(j, k);
      at(i, j) = value / at(j, j);
    }
  }
  for (size_t i = 0; i < n; ++i) {
    for (size_t k = 0; k < i; ++k) b[i] -= at(i, k) * b[k];
    b[i] /= at(i, i);
  }
  for (size_t i = n; i-- > 0;) {
    for (size_t k = i + 1; k < n; ++k) b[i] -= at(k, i) * b[k];
    b[i] /= at(i, i);
  }
  return true;
}

}  // namespace outerloop::interp
