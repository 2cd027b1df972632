// The oracle keeps the orders of operations that outerloop/tensor/ordered.h states. The sums here
// are written out by hand, apart from its code.

#include "outerloop/exec/oracle.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "outerloop/base/error.h"
#include "outerloop/ops/ops.h"

namespace outerloop::exec {
namespace {

std::vector<float> draw(int64_t count, uint32_t seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> numbers(-1, 1);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = numbers(generator);
  return values;
}

// Runs f on inputs of these shapes, drawn at random.
struct Run {
  std::vector<std::vector<float>> inputs;
  std::vector<float> output;
};
template <class Function>
Run run(std::vector<Shape> shapes, Function&& f) {
  Builder builder;
  std::vector<Expr> arguments;
  std::vector<Tensor> tensors;
  Run result;
  for (const Shape& shape : shapes) {
    const auto number = static_cast<uint32_t>(arguments.size());
    arguments.push_back(
        builder.input(std::to_string(number), {DType::f32, shape}, Binding::per_lane));
    result.inputs.push_back(draw(shape.elements(), number + 1));
    tensors.push_back(Tensor::from<float>(shape, result.inputs.back()));
  }
  builder.output("y", f(arguments));
  const Tensor y = interpret(builder.finish(), tensors)[0];
  result.output.assign(y.as<float>().begin(), y.as<float>().end());
  return result;
}

TEST(Oracle, SumsContiguousAxesInThirtyTwoWaysAndATree) {
  const auto [inputs, output] = run({{2, 77}}, [](const auto& x) { return sum(x[0], {1}); });
  for (size_t row = 0; row < 2; ++row) {
    float ways[32] = {};
    for (size_t i = 0; i < 77; ++i) ways[i % 32] += inputs[0][row * 77 + i];
    for (size_t half = 16; half > 0; half /= 2) {
      for (size_t i = 0; i < half; ++i) ways[i] += ways[i + half];
    }
    EXPECT_EQ(output[row], ways[0]);
  }
}

TEST(Oracle, SumsRowsInFourWaysAndATree) {
  const auto [inputs, output] = run({{11, 3}}, [](const auto& x) { return sum(x[0], {0}); });
  for (size_t column = 0; column < 3; ++column) {
    float ways[4] = {};
    for (size_t row = 0; row < 11; ++row) ways[row % 4] += inputs[0][row * 3 + column];
    EXPECT_EQ(output[column], (ways[0] + ways[2]) + (ways[1] + ways[3]));
  }
}

TEST(Oracle, ReducesTheInnermostGroupFirst) {
  const auto whole = run({{6, 5, 9}}, [](const auto& x) { return sum(x[0], {0, 2}); });
  const auto steps = run({{6, 5, 9}}, [](const auto& x) { return sum(sum(x[0], {2}), {0}); });
  EXPECT_EQ(whole.output, steps.output);
}

TEST(Oracle, MatmulIsAChainOfFmasInRisingK) {
  const auto [inputs, output] =
      run({{3, 40}, {40, 5}}, [](const auto& x) { return matmul(x[0], x[1]); });
  for (size_t i = 0; i < 3; ++i) {
    for (size_t j = 0; j < 5; ++j) {
      float chain = 0;
      for (size_t k = 0; k < 40; ++k) {
        chain = std::fma(inputs[0][i * 40 + k], inputs[1][k * 5 + j], chain);
      }
      EXPECT_EQ(output[i * 5 + j], chain);
    }
  }
}

TEST(Oracle, MatmulFlagsReadTheSameNumbers) {
  const auto plain = run({{3, 7}, {7, 5}}, [](const auto& x) { return matmul(x[0], x[1]); });
  const auto flagged = run({{3, 7}, {7, 5}}, [](const auto& x) {
    return matmul(transpose(x[0]), transpose(x[1]), true, true);
  });
  EXPECT_EQ(plain.output, flagged.output);
}

// One channel, a 3 x 4 image, 3 x 3 taps, stride 2: one row of two pixels.
TEST(Oracle, ConvolutionLeavesTapsOnPaddingOut) {
  const Pads2d pads{0, 0, 1, 1};
  const auto [inputs, output] =
      run({{1, 3, 4, 1}, {3, 3, 1, 1}}, [&](const auto& x) { return conv2d(x[0], x[1], 2, pads); });
  ASSERT_EQ(output.size(), 2U);
  for (int64_t pixel = 0; pixel < 2; ++pixel) {
    float chain = 0;
    for (int64_t p = 0; p < 3; ++p) {
      for (int64_t q = 0; q < 3; ++q) {
        const int64_t column = 2 * pixel + q - 1;
        if (column < 0 || column > 3) continue;
        chain = std::fma(inputs[0][static_cast<size_t>(p * 4 + column)],
                         inputs[1][static_cast<size_t>(p * 3 + q)], chain);
      }
    }
    EXPECT_EQ(output[static_cast<size_t>(pixel)], chain);
  }
}

TEST(Oracle, ConvolutionsAreTheAdjointsOfEachOther) {
  const Pads2d pads{0, 1, 1, 1};
  const auto [inputs, output] = run({{2, 6, 5, 3}, {3, 3, 3, 4}, {2, 3, 3, 4}}, [&](const auto& v) {
    const Expr x = v[0], w = v[1], dy = v[2];
    const Expr forward = sum(conv2d(x, w, 2, pads) * dy);
    const Expr input = sum(conv2d_input(dy, w, 2, pads, 6, 5) * x);
    const Expr filter = sum(conv2d_filter(x, dy, 2, pads, 3, 3) * w);
    return concat({reshape(forward, {1}), reshape(input, {1}), reshape(filter, {1})}, 0);
  });
  EXPECT_NEAR(output[0], output[1], 1e-4);
  EXPECT_NEAR(output[0], output[2], 1e-4);
}

TEST(Oracle, CholeskyTimesItsTransposeIsTheMatrix) {
  const auto [inputs, output] = run({{6, 6}}, [](const auto& x) {
    const Expr matrix =
        matmul(x[0], x[0], false, true) + identity_matrix(x[0].builder(), 6, DType::f32);
    const Expr l = cholesky(matrix);
    return matmul(l, l, false, true) - matrix;
  });
  for (float difference : output) EXPECT_NEAR(difference, 0, 1e-6);
}

TEST(Oracle, SpdSolveSolves) {
  const auto [inputs, output] = run({{6, 6}, {6, 2}}, [](const auto& x) {
    const Expr matrix =
        matmul(x[0], x[0], false, true) + identity_matrix(x[0].builder(), 6, DType::f32);
    return matmul(matrix, spd_solve(matrix, x[1])) - x[1];
  });
  for (float difference : output) EXPECT_NEAR(difference, 0, 1e-5);
}

TEST(Oracle, AMatrixThatIsNotPositiveDefiniteGivesNaN) {
  const auto [inputs, output] = run({{2, 2}}, [](const auto& x) {
    return cholesky(x[0] - 10.0 * identity_matrix(x[0].builder(), 2, DType::f32));
  });
  EXPECT_TRUE(std::isnan(output[0]));
}

TEST(Oracle, RefusesInputsOfAnotherType) {
  Builder builder;
  builder.output("y", neg(builder.input("x", {DType::f32, {2}}, Binding::shared)));
  const Program program = builder.finish();
  const Tensor wrong(DType::f64, {2});
  try {
    interpret(program, {&wrong, 1});
    FAIL() << "a float64 input was taken for float32";
  } catch (const BadInput& error) {
    EXPECT_STREQ(error.what(), "input 'x' must be f32(2), got f64(2)");
  }
}

}  // namespace
}  // namespace outerloop::exec
