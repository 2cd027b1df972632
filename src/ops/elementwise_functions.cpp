// Elementwise functions and operators: arguments stretch to a common shape.

#include "ops/rules.h"

namespace outerloop {
namespace {

Expr unary(const OpDef& op, Expr x) {
  return x.builder().apply(op, {x});
}

Expr binary(const OpDef& op, Expr a, Expr b) {
  const Shape shape = common_shape(a.shape(), b.shape());
  return a.builder().apply(op, {broadcast_to(a, shape), broadcast_to(b, shape)});
}

}  // namespace

Expr neg(Expr x) {
  return unary(ops::neg, x);
}
Expr exp(Expr x) {
  return unary(ops::exp, x);
}
Expr log(Expr x) {
  return unary(ops::log, x);
}
Expr sqrt(Expr x) {
  return unary(ops::sqrt, x);
}
Expr rsqrt(Expr x) {
  return unary(ops::rsqrt, x);
}
Expr tanh(Expr x) {
  return unary(ops::tanh, x);
}
Expr logistic(Expr x) {
  return unary(ops::logistic, x);
}
Expr sin(Expr x) {
  return unary(ops::sin, x);
}
Expr cos(Expr x) {
  return unary(ops::cos, x);
}
Expr abs(Expr x) {
  return unary(ops::abs, x);
}
Expr relu(Expr x) {
  return unary(ops::relu, x);
}
Expr square(Expr x) {
  return unary(ops::square, x);
}
Expr reciprocal(Expr x) {
  return unary(ops::reciprocal, x);
}
Expr sign(Expr x) {
  return unary(ops::sign, x);
}
Expr stop_gradient(Expr x) {
  return unary(ops::stop_gradient, x);
}
Expr pow(Expr x, double exponent) {
  if (exponent == 1) return x;
  return x.builder().apply(ops::pow, {x}, {{"exponent", exponent}});
}

Expr add(Expr a, Expr b) {
  return binary(ops::add, a, b);
}
Expr sub(Expr a, Expr b) {
  return binary(ops::sub, a, b);
}
Expr mul(Expr a, Expr b) {
  return binary(ops::mul, a, b);
}
Expr div(Expr a, Expr b) {
  return binary(ops::div, a, b);
}
Expr maximum(Expr a, Expr b) {
  return binary(ops::maximum, a, b);
}
Expr minimum(Expr a, Expr b) {
  return binary(ops::minimum, a, b);
}
Expr less(Expr a, Expr b) {
  return binary(ops::less, a, b);
}
Expr less_equal(Expr a, Expr b) {
  return binary(ops::less_equal, a, b);
}
Expr equal(Expr a, Expr b) {
  return binary(ops::equal, a, b);
}
Expr select(Expr mask, Expr if_true, Expr if_false) {
  const Shape branches = common_shape(if_true.shape(), if_false.shape());
  const Shape shape = common_shape(mask.shape(), branches);
  return mask.builder().apply(ops::select, {broadcast_to(mask, shape), broadcast_to(if_true, shape),
                                            broadcast_to(if_false, shape)});
}

Expr plus(Expr a, Expr b) {
  if (!a.valid()) return b;
  return b.valid() ? a + b : a;
}

Expr operator+(Expr a, Expr b) {
  return add(a, b);
}
Expr operator-(Expr a, Expr b) {
  return sub(a, b);
}
Expr operator*(Expr a, Expr b) {
  return mul(a, b);
}
Expr operator/(Expr a, Expr b) {
  return div(a, b);
}
Expr operator-(Expr x) {
  return neg(x);
}
Expr operator+(Expr a, double b) {
  return add(a, full_like(a, b));
}
Expr operator-(Expr a, double b) {
  return sub(a, full_like(a, b));
}
Expr operator*(Expr a, double b) {
  return mul(a, full_like(a, b));
}
Expr operator/(Expr a, double b) {
  return div(a, full_like(a, b));
}
Expr operator+(double a, Expr b) {
  return add(full_like(b, a), b);
}
Expr operator-(double a, Expr b) {
  return sub(full_like(b, a), b);
}
Expr operator*(double a, Expr b) {
  return mul(full_like(b, a), b);
}
Expr operator/(double a, Expr b) {
  return div(full_like(b, a), b);
}

}  // namespace outerloop
