#pragma once
// LIME (Ribeiro, Singh and Guestrin 2016): a weighted linear model of a model's answers around one
// instance.

#include <span>
#include <vector>

namespace outerloop::interp {

template <class T>
struct RidgeFit {
  std::vector<T> coefficients;
  T intercept = 0;
  T weighted_r2 = 0;  // 1 - sum w e^2 / sum w (y - weighted mean)^2; NaN where y is constant
};

// Minimises sum_i w_i (y_i - b0 - z_i b)^2 + alpha |b|^2 with b0 free: rows are centred by their
// weighted means, then (A'WA + alpha I) b = A'W (y - mean) by Cholesky. z: (rows, columns),
// row-major. For T = float and double. Throws BadInput when sizes do not fit, a weight is negative
// or all are zero, or the system is singular (alpha = 0 and dependent columns).
template <class T>
RidgeFit<T> weighted_ridge(std::span<const T> z, std::span<const T> y, std::span<const T> weights,
                           T alpha);

}  // namespace outerloop::interp
