// What single rules of the simplifier do, and where they must not.

#include <gtest/gtest.h>

#include <algorithm>

#include "outerloop/ops/ops.h"
#include "outerloop/ops/records.h"
#include "outerloop/passes/pass.h"

namespace outerloop::passes {
namespace {

int64_t count(const Program& program, const OpDef& op) {
  return std::ranges::count(program.equations, &op, &Equation::op);
}

struct Product {
  Builder builder;
  Expr a = builder.input("a", {DType::f32, {2, 3}}, Binding::per_lane);
  Expr b = builder.input("b", {DType::f32, {3, 4}}, Binding::per_lane);
  Expr ab = matmul(a, b);
};

TEST(TransposedProduct, BecomesTheProductOfTheTransposed) {
  Product p;
  p.builder.output("y", tanh(transpose(p.ab)));
  const Program simple = remove_dead_code(simplify(p.builder.finish()));
  EXPECT_EQ(count(simple, ops::matmul), 1);
  EXPECT_EQ(count(simple, ops::transpose), 0);
}

TEST(TransposedProduct, IsNotComputedASecondTime) {
  Product p;
  p.builder.output("y", tanh(transpose(p.ab)));
  p.builder.output("z", square(p.ab));
  const Program simple = remove_dead_code(simplify(p.builder.finish()));
  EXPECT_EQ(count(simple, ops::matmul), 1);
  EXPECT_EQ(count(simple, ops::transpose), 1);
}

TEST(TransposedProduct, IsNotComputedASecondTimeUnderAnotherName) {
  Product p;
  const Expr renamed = -(-p.ab);
  p.builder.output("y", tanh(transpose(renamed)));
  p.builder.output("z", square(renamed));
  const Program simple = remove_dead_code(simplify(p.builder.finish()));
  EXPECT_EQ(count(simple, ops::matmul), 1);
}

// Readers that no output needs are none.
TEST(TransposedProduct, MayHaveDeadReaders) {
  Product p;
  square(p.ab);
  p.builder.output("y", tanh(transpose(p.ab)));
  const Program simple = remove_dead_code(simplify(p.builder.finish()));
  EXPECT_EQ(count(simple, ops::transpose), 0);
}

TEST(TransposedProduct, IsAProgramOutputToo) {
  Product p;
  p.builder.output("y", tanh(transpose(p.ab)));
  p.builder.output("z", p.ab);
  EXPECT_EQ(count(optimise(p.builder.finish()), ops::matmul), 1);
}

}  // namespace
}  // namespace outerloop::passes
