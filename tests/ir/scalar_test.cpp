// Scalar bodies: how they are built and what each instruction means.

#include "outerloop/ir/scalar.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace outerloop {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

ScalarBody body_of(const ScalarBuilder& builder, Scalar output) {
  return builder.finish({&output, 1});
}

float run(const ScalarBody& body, std::vector<float> inputs) {
  std::vector<float> registers(body.instructions.size());
  float result = 0;
  evaluate<float>(body, inputs, {&result, 1}, registers);
  return result;
}

TEST(ScalarBuilder, SharesEqualInstructions) {
  ScalarBuilder builder(DType::f32, 2);
  const Scalar a = builder.input(0), b = builder.input(1);
  EXPECT_EQ((a + b).id, (a + b).id);
  EXPECT_NE((a + b).id, (b + a).id) << "operand order is part of an instruction";
  EXPECT_NE(builder.constant(0.0).id, builder.constant(-0.0).id);
  EXPECT_EQ(builder.constant(kNaN).id, builder.constant(kNaN).id);
}

TEST(ScalarBuilder, FoldsConstantsInTheElementType) {
  ScalarBuilder single(DType::f32, 0), twice(DType::f64, 0);
  const ScalarBody folded = body_of(single, single.constant(1.0) / 3.0);
  ASSERT_EQ(folded.instructions.size(), 1U);
  EXPECT_EQ(folded.instructions[0].value, 1.0F / 3.0F);
  EXPECT_EQ(body_of(twice, twice.constant(1.0) / 3.0).instructions[0].value, 1.0 / 3.0);
}

TEST(ScalarBuilder, DropsWhatOutputsDoNotNeed) {
  ScalarBuilder builder(DType::f32, 2);
  const Scalar a = builder.input(0);
  sqrt(builder.input(1));
  const ScalarBody body = body_of(builder, a * a);
  EXPECT_EQ(body.instructions.size(), 2U);
  EXPECT_EQ(body.input_count, 2);
  EXPECT_EQ(run(body, {3, 100}), 9);
}

TEST(ScalarBody, SeveralOutputs) {
  ScalarBuilder builder(DType::f32, 1);
  const Scalar x = builder.input(0);
  const Scalar outputs[] = {x + 1.0, x, x * 2.0};
  const ScalarBody body = builder.finish(outputs);
  std::vector<float> registers(body.instructions.size()), results(3);
  const float input = 5;
  evaluate<float>(body, {&input, 1}, results, registers);
  EXPECT_EQ(results, (std::vector<float>{6, 5, 10}));
}

TEST(ScalarOps, FmaRoundsOnce) {
  const float a = 1 + 0x1p-12F;
  EXPECT_EQ(evaluate(ScalarOp::fma, a, a, -1.0F), std::fma(a, a, -1.0F));
  EXPECT_NE(evaluate(ScalarOp::fma, a, a, -1.0F), a * a - 1.0F);
}

TEST(ScalarOps, MinAndMaxGiveTheSecondOperandForNaN) {
  for (ScalarOp op : {ScalarOp::min, ScalarOp::max}) {
    EXPECT_EQ(evaluate(op, kNaN, 2.0F, 0.0F), 2.0F);
    EXPECT_TRUE(std::isnan(evaluate(op, 2.0F, kNaN, 0.0F)));
  }
}

TEST(ScalarOps, ComparisonsGiveOneOrZero) {
  EXPECT_EQ(evaluate(ScalarOp::less, 1.0F, 2.0F, 0.0F), 1);
  EXPECT_EQ(evaluate(ScalarOp::less, 2.0F, 2.0F, 0.0F), 0);
  EXPECT_EQ(evaluate(ScalarOp::less_equal, 2.0F, 2.0F, 0.0F), 1);
  EXPECT_EQ(evaluate(ScalarOp::equal, 0.0F, -0.0F, 0.0F), 1);
  EXPECT_EQ(evaluate(ScalarOp::equal, kNaN, kNaN, 0.0F), 0);
}

TEST(ScalarOps, SelectTakesAnythingButZeroForTrue) {
  EXPECT_EQ(evaluate(ScalarOp::select, 1.0F, 5.0F, 6.0F), 5);
  EXPECT_EQ(evaluate(ScalarOp::select, -0.0F, 5.0F, 6.0F), 6);
  EXPECT_EQ(evaluate(ScalarOp::select, kNaN, 5.0F, 6.0F), 5);
}

TEST(ScalarOps, RoundTakesTiesToEven) {
  for (const auto& [x, expected] : {std::pair{0.5F, 0.0F}, {1.5F, 2.0F}, {-2.5F, -2.0F}}) {
    EXPECT_EQ(evaluate(ScalarOp::round, x, 0.0F, 0.0F), expected);
  }
}

TEST(ScalarOps, MantissaTimesPowerOfExponentIsTheNumber) {
  for (float x : {1.0F, -3.7F, 1e30F, 0x1p-126F}) {
    const float m = evaluate(ScalarOp::mantissa, x, 0.0F, 0.0F);
    const float e = evaluate(ScalarOp::exponent, x, 0.0F, 0.0F);
    EXPECT_GE(std::fabs(m), 1);
    EXPECT_LT(std::fabs(m), 2);
    EXPECT_EQ(evaluate(ScalarOp::scale2, m, e, 0.0F), x);
  }
}

}  // namespace
}  // namespace outerloop
