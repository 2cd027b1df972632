// What differentiation means: where it stops, what is zero, what it costs.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "outerloop/autodiff/autodiff.h"
#include "outerloop/exec/oracle.h"
#include "outerloop/ops/ops.h"
#include "outerloop/ops/records.h"

namespace outerloop {
namespace {

using Values = std::vector<double>;

class Autodiff : public ::testing::Test {
 protected:
  Expr input(Values values) {
    const Shape shape{static_cast<int64_t>(values.size())};
    inputs_.push_back(Tensor::from<double>(shape, values));
    return builder_.input(std::to_string(inputs_.size()), {DType::f64, shape}, Binding::per_lane);
  }
  Expr gradient(Expr scalar, Expr x) { return grad(builder_, scalar, {&x, 1})[0]; }
  Values values_of(Expr x) {
    builder_.output("result", x);
    return exec::interpret(builder_.finish(), inputs_)[0].to_doubles();
  }
  size_t equations() const { return builder_.program().equations.size(); }
  size_t count(const OpDef& op) const {
    return static_cast<size_t>(
        std::ranges::count(builder_.program().equations, &op, &Equation::op));
  }

  Builder builder_;

 private:
  std::vector<Tensor> inputs_;
};

TEST_F(Autodiff, GradientOfAPolynomialToOrderThree) {
  const Expr x = input({2});
  const Expr first = gradient(sum(pow(x, 5)), x);
  const Expr second = gradient(sum(first), x);
  EXPECT_EQ(values_of(gradient(sum(second), x)), (Values{240}));
}

TEST_F(Autodiff, ContributionsOfSeveralUsesAddUp) {
  const Expr x = input({3});
  EXPECT_EQ(values_of(gradient(sum(x * x + x), x)), (Values{7}));
}

TEST_F(Autodiff, IndependentInputsHaveSymbolicZeroGradients) {
  const Expr x = input({1}), other = input({2});
  EXPECT_FALSE(gradient(sum(square(x)), other).valid());
  EXPECT_EQ(values_of(or_zeros(Expr{}, other)), (Values{0}));
}

TEST_F(Autodiff, StopGradientIsAConstant) {
  const Expr x = input({3});
  EXPECT_EQ(values_of(gradient(sum(x * stop_gradient(x)), x)), (Values{3}));
}

TEST_F(Autodiff, InputsAreIndependentVariables) {
  const Expr x = input({3});
  const Expr y = square(x);
  const std::vector<Expr> both{x, y};
  const auto gradients = grad(builder_, sum(x * y), both);
  builder_.output("x", gradients[0]);
  EXPECT_EQ(values_of(gradients[1]), (Values{9})) << "dx (x y) = y, not 3 x^2";
}

TEST_F(Autodiff, WhatLiesBeforeTheInputsIsNotDifferentiated) {
  const Expr x = input({0.5});
  const Expr phi = exp(x);
  const Expr loss = sum(square(phi));
  const size_t before = count(ops::exp);
  gradient(loss, phi);
  EXPECT_EQ(count(ops::exp), before);
  EXPECT_EQ(count(ops::mul), 2U) << "2 phi, times the cotangent";
}

TEST_F(Autodiff, OnlyGradientsThatAreAskedForAreBuilt) {
  const Expr x = reshape(input({1, 2, 3, 4}), {2, 2});
  const Expr w = reshape(input({1, 2, 3, 4}), {2, 2});
  const Expr y = sum(matmul(x, w));
  gradient(y, w);
  EXPECT_EQ(count(ops::matmul), 2U);
}

TEST_F(Autodiff, SymbolicZeroTangentsAddNoEquations) {
  const Expr x = input({1}), y = input({2});
  const Expr product = x * y;
  const std::vector<Expr> inputs{x, y}, tangents{Expr{}, Expr{}};
  const size_t before = equations();
  EXPECT_FALSE(jvp(builder_, {&product, 1}, inputs, tangents)[0].valid());
  EXPECT_EQ(equations(), before);
}

TEST_F(Autodiff, SymbolicZerosHaveZeroDerivatives) {
  const Expr x = input({1}), zero;
  EXPECT_FALSE(jvp(builder_, {&zero, 1}, {&x, 1}, {&x, 1})[0].valid());
  EXPECT_FALSE(vjp(builder_, {&zero, 1}, {&x, 1}, {&zero, 1})[0].valid());
}

TEST_F(Autodiff, AnInputCanBeAnOutput) {
  const Expr x = input({1}), direction = input({5});
  EXPECT_EQ(jvp(builder_, {&x, 1}, {&x, 1}, {&direction, 1})[0].id(), direction.id());
  EXPECT_EQ(vjp(builder_, {&x, 1}, {&x, 1}, {&direction, 1})[0].id(), direction.id());
}

TEST_F(Autodiff, DerivativesAtKinksAreZero) {
  const Expr x = input({0, 2, -3});
  EXPECT_EQ(values_of(gradient(sum(relu(x)) + sum(abs(x)) * 10.0, x)), (Values{0, 11, -10}));
}

// Of equal arguments the second one counts; equal elements share.
TEST_F(Autodiff, TiesOfMaximaAndMinima) {
  const Expr a = input({2, 1}), b = input({2, 3}), x = input({3, 1, 3});
  const Expr both = concat({maximum(a, b), minimum(a, b)}, 0);
  const Expr weighted = sum(both * concat({ones_like(a), full_like(a, 10)}, 0));
  const std::vector<Expr> arguments{a, b}, directions{input({1, 1}), input({10, 10})};
  const Expr forward = jvp(builder_, {&both, 1}, arguments, directions)[0];
  EXPECT_EQ(
      values_of(concat(
          {gradient(weighted, a), gradient(weighted, b), forward, gradient(reduce_max(x), x)}, 0)),
      (Values{0, 10, 11, 1, 10, 10, 10, 1, 0.5, 0, 0.5}));
}

// Adam on units that are off: v = 0 exactly, and d sqrt(v) / dv must be 0 to every order.
TEST_F(Autodiff, SquareRootHasZeroDerivativesAtZero) {
  const Expr v = input({0, 4});
  const Expr first = gradient(sum(sqrt(v)), v);
  const Expr second = gradient(sum(first), v);
  const Expr third = gradient(sum(second), v);
  EXPECT_EQ(values_of(concat({first, second, third}, 0)),
            (Values{0, 1.0 / 4, 0, -1.0 / 32, 0, 3.0 / 256}));
}

// Hessian-vector products by forward over reverse and by reverse over reverse agree.
TEST_F(Autodiff, ForwardOverReverseEqualsReverseOverReverse) {
  const Expr x = input({0.3, -0.7, 1.1}), v = input({1, 2, -1});
  const Expr g = gradient(sum(tanh(x * x) * exp(x)), x);
  const Expr forward = jvp(builder_, {&g, 1}, {&x, 1}, {&v, 1})[0];
  const Expr reverse = gradient(sum(g * v), x);
  for (double difference : values_of(forward - reverse)) EXPECT_NEAR(difference, 0, 1e-14);
}

TEST_F(Autodiff, FusedEquationsWithARepeatedInput) {
  Builder inner;
  const Expr a = inner.input("a", {DType::f64, {1}}, Binding::per_lane);
  const Expr b = inner.input("b", {DType::f64, {1}}, Binding::per_lane);
  inner.output("product", a * a * b);
  const auto body = std::make_shared<const Program>(inner.finish());
  const Expr x = input({2});
  const Expr y = builder_.apply(ops::fused, {x, x}, {{"body", body}});
  EXPECT_EQ(values_of(gradient(sum(y), x)), (Values{12})) << "d x^3 = 3 x^2";
}

}  // namespace
}  // namespace outerloop
