#include "meta/solver.h"

#include "outerloop/ops/ops.h"

namespace outerloop::meta {

namespace {

using Vector = std::vector<Expr>;

Expr dot(std::span<const Expr> a, std::span<const Expr> b) {
  Expr total = sum(a[0] * b[0]);
  for (size_t i = 1; i < a.size(); ++i) total = total + sum(a[i] * b[i]);
  return total;
}

// a + factor b
Vector add_scaled(std::span<const Expr> a, Expr factor, std::span<const Expr> b) {
  Vector result;
  for (size_t i = 0; i < a.size(); ++i) result.push_back(a[i] + factor * b[i]);
  return result;
}

Vector choose(Expr mask, std::span<const Expr> if_true, std::span<const Expr> if_false) {
  Vector result;
  for (size_t i = 0; i < if_true.size(); ++i) {
    const Expr wide = broadcast_to(mask, if_true[i].shape());
    result.push_back(select(wide, if_true[i], if_false[i]));
  }
  return result;
}

// numerator / denominator where the mask is 1, else 0, without dividing by zero.
Expr ratio_where(Expr mask, Expr numerator, Expr denominator) {
  const Expr safe = select(mask, denominator, ones_like(denominator));
  return select(mask, numerator / safe, zeros_like(numerator));
}

Expr relative_residual(Expr residual_square, Expr b_square) {
  const Expr some = less(zeros_like(b_square), b_square);
  return sqrt(ratio_where(some, residual_square, b_square));
}

}  // namespace

Solution solve_by_conjugate_gradients(const LinearMap& m, std::span<const Expr> b,
                                      const config::Implicit& config) {
  const Expr b_square = dot(b, b);
  const Expr enough = b_square * (config.tolerance * config.tolerance);
  const Expr zero = zeros_like(b_square);
  Vector x;
  Vector r(b.begin(), b.end());
  Vector p = r;
  Expr r_square = b_square;
  Expr negative = zero;
  for (int64_t i = 0; i < config.iterations; ++i) {
    const Vector m_p = m(p);
    const Expr curvature = dot(p, p) + dot(p, m_p);
    const Expr running = less(enough, r_square) * equal(negative, zero);
    const Expr positive = less(zero, curvature);
    negative = select(running * equal(positive, zero), ones_like(zero), negative);
    const Expr active = running * positive;
    const Expr length = ratio_where(active, r_square, curvature);
    const Vector a_p = add_scaled(p, ones_like(zero), m_p);
    if (x.empty()) {
      for (const Expr direction : p) x.push_back(length * direction);
    } else {
      x = add_scaled(x, length, p);
    }
    r = choose(active, add_scaled(r, -length, a_p), r);
    const Expr next_square = dot(r, r);
    p = choose(active, add_scaled(r, ratio_where(active, next_square, r_square), p), p);
    r_square = select(active, next_square, r_square);
  }
  return {x, relative_residual(r_square, b_square), negative};
}

Solution solve_by_neumann_series(const LinearMap& m, std::span<const Expr> b,
                                 const config::Implicit& config) {
  const Expr b_square = dot(b, b);
  const Expr enough = b_square * (config.tolerance * config.tolerance);
  const Expr minus_one = full_like(b_square, -1);
  Vector x(b.begin(), b.end());
  Vector m_x = m(x);
  Expr negative = zeros_like(b_square);
  // b - (I + M) x = -M b for x = b.
  Expr r_square = dot(m_x, m_x);
  for (int64_t i = 0; i < config.iterations; ++i) {
    const Expr curvature = dot(x, x) + dot(x, m_x);
    negative = maximum(negative, less_equal(curvature, zeros_like(curvature)));
    const Expr running = less(enough, r_square);
    x = choose(running, add_scaled(b, minus_one, m_x), x);
    m_x = m(x);
    const Vector applied = add_scaled(x, ones_like(b_square), m_x);
    const Vector r = add_scaled(b, minus_one, applied);
    r_square = dot(r, r);
  }
  return {x, relative_residual(r_square, b_square), negative};
}

}  // namespace outerloop::meta
