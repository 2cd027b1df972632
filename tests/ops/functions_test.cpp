// The functions on expressions: stretching, shapes, and messages.

#include <gtest/gtest.h>

#include "outerloop/base/error.h"
#include "outerloop/exec/oracle.h"
#include "outerloop/ops/ops.h"

namespace outerloop {
namespace {

using Values = std::vector<double>;

// A program of float64 inputs.
class Functions : public ::testing::Test {
 protected:
  Expr input(Shape shape, Values values) {
    inputs_.push_back(Tensor::from<double>(shape, values));
    return declare({DType::f64, shape});
  }
  Expr indices(Shape shape, std::vector<int32_t> values) {
    inputs_.push_back(Tensor::from<int32_t>(shape, values));
    return declare({DType::i32, shape});
  }
  Values values_of(Expr x) {
    builder_.output("result", x);
    return exec::interpret(builder_.finish(), inputs_)[0].to_doubles();
  }
  template <class Function>
  static std::string message_of(Function&& function) {
    try {
      function();
    } catch (const BadInput& error) {
      return error.what();
    }
    return "nothing was thrown";
  }

  Builder builder_;

 private:
  Expr declare(const TensorType& type) {
    return builder_.input(std::to_string(inputs_.size()), type, Binding::per_lane);
  }
  std::vector<Tensor> inputs_;
};

TEST_F(Functions, OperatorsStretchLikeNumpy) {
  const Expr row = input({3}, {1, 2, 3}), column = input({2, 1}, {10, 20});
  EXPECT_EQ(values_of(row + column), (Values{11, 12, 13, 21, 22, 23}));
}

TEST_F(Functions, ScalarsStretchToAnyShape) {
  const Expr x = input({2, 2}, {1, 2, 3, 4}), s = input({}, {10});
  EXPECT_EQ(values_of((2.0 * x - 1.0) / s), (Values{0.1, 0.3, 0.5, 0.7}));
}

TEST_F(Functions, ShapesThatCannotStretchAreNamed) {
  const Expr a = input({2, 3}, Values(6)), b = input({2}, Values(2));
  EXPECT_EQ(message_of([&] { a + b; }), "shapes (2, 3) and (2) cannot be stretched to one shape");
}

TEST_F(Functions, TypeErrorsNameTheOp) {
  const Expr a = input({2, 3}, Values(6)), b = input({4, 5}, Values(20));
  EXPECT_EQ(message_of([&] { matmul(a, b); }),
            "[matmul] inner extents must agree: (2, 3) x (4, 5)");
  EXPECT_EQ(message_of([&] { reshape(a, {5}); }),
            "[reshape] (2, 3) has not as many elements as (5)");
  EXPECT_EQ(message_of([&] { sum(a, {2}); }), "axis 2 is outside the 2 axes");
}

TEST_F(Functions, KeepingAxesGivesExtentsOfOne) {
  const Expr x = input({2, 3}, {1, 5, 3, 4, 2, 6});
  EXPECT_EQ(sum_keep(x, {-1}).shape(), (Shape{2, 1}));
  EXPECT_EQ(mean_keep(x, {0}).shape(), (Shape{1, 3}));
  EXPECT_EQ(values_of(reduce_max_keep(x, {1})), (Values{5, 6}));
}

TEST_F(Functions, MeanDividesByTheNumberOfReducedElements) {
  const Expr x = input({2, 4}, {1, 2, 3, 4, 5, 6, 7, 8});
  EXPECT_EQ(values_of(mean(x, {1})), (Values{2.5, 6.5}));
}

TEST_F(Functions, NothingIsAppendedWhereNothingChanges) {
  const Expr x = input({2, 3}, Values(6));
  EXPECT_EQ(reshape(x, {2, 3}).id(), x.id());
  EXPECT_EQ(transpose(x, {0, 1}).id(), x.id());
  EXPECT_EQ(broadcast_to(x, {2, 3}).id(), x.id());
  EXPECT_EQ(slice(x, {0, 0}, {2, 3}).id(), x.id());
  EXPECT_EQ(pad(x, {0, 0}, {0, 0}).id(), x.id());
  EXPECT_EQ(sum(x, {}).id(), x.id());
  EXPECT_EQ(concat({x}, 0).id(), x.id());
  EXPECT_TRUE(builder_.program().equations.empty());
}

TEST_F(Functions, SliceAndPadAreAdjoint) {
  const Expr x = input({5}, {1, 2, 3, 4, 5});
  EXPECT_EQ(values_of(pad(slice(x, {1}, {5}, {2}), {1}, {1}, {1})), (Values{0, 2, 0, 4, 0}));
}

TEST_F(Functions, RepeatedIndicesAddUp) {
  const Expr updates = input({3, 1}, {1, 10, 100});
  const Expr where = indices({3}, {2, 0, 2});
  EXPECT_EQ(values_of(scatter_add(updates, where, 0, 3)), (Values{10, 0, 101}));
}

TEST_F(Functions, IndicesOutOfRangeAreRefused) {
  const Expr x = input({2, 2}, {1, 2, 3, 4});
  const Expr where = indices({2}, {0, 2});
  EXPECT_EQ(message_of([&] { values_of(take_per_row(x, where)); }), "index 2 is outside 0 … 1");
}

TEST_F(Functions, PoolingKeepsTheFirstOfEqualMaxima) {
  const Expr x = input({1, 2, 3, 1}, {7, 7, 1, 7, 7, 9});
  EXPECT_EQ(values_of(max_pool_index(x, 2, 2)), (Values{0}));
}

TEST_F(Functions, IdentityMatrix) {
  EXPECT_EQ(values_of(identity_matrix(builder_, 2, DType::f64)), (Values{1, 0, 0, 1}));
}

TEST(SamePads, PutTheOddRowLast) {
  EXPECT_EQ(same_pads(28, 28, 3, 3, 1), (Pads2d{1, 1, 1, 1}));
  EXPECT_EQ(same_pads(28, 7, 3, 3, 2), (Pads2d{0, 1, 1, 1}));
}

// The numbers of the stream are those of the library's Philox, in both precisions.
TEST(RandomUniform, DependsOnKeyAndStreamOnly) {
  const auto draw = [](std::vector<int32_t> key, int64_t stream, DType dtype) {
    Builder builder;
    const Expr k = builder.input("key", {DType::i32, {4}}, Binding::per_lane);
    builder.output("u", random_uniform(k, stream, {dtype, {100}}));
    const Tensor input = Tensor::from<int32_t>({4}, key);
    return exec::interpret(builder.finish(), {&input, 1})[0].to_doubles();
  };
  const Values first = draw({1, 2, 3, 4}, 0, DType::f32);
  EXPECT_EQ(first, draw({1, 2, 3, 4}, 0, DType::f64));
  EXPECT_NE(first, draw({1, 2, 3, 4}, 1, DType::f32));
  EXPECT_NE(first, draw({1, 2, 3, 5}, 0, DType::f32));
  EXPECT_NE(first, draw({-1, 2, 3, 4}, 0, DType::f32));
  for (double u : first) EXPECT_TRUE(u >= 0 && u < 1);
}

}  // namespace
}  // namespace outerloop
