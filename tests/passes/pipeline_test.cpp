// Each pass: its effect on a small program as text, and the same bits with and without it.

#include <gtest/gtest.h>

#include <cstring>

#include "outerloop/autodiff/autodiff.h"
#include "outerloop/base/error.h"
#include "outerloop/exec/oracle.h"
#include "outerloop/nn/functions.h"
#include "outerloop/ops/ops.h"
#include "outerloop/passes/pass.h"
#include "passes/golden.h"
#include "support/sample_inputs.h"

namespace outerloop::passes {
namespace {

using testing_support::expect_golden;

// One layer, its loss and the gradient: something for every pass.
Program layer_gradient() {
  Builder builder;
  const Expr w = builder.input("w", {DType::f32, {3, 4}}, Binding::shared);
  const Expr b = builder.input("b", {DType::f32, {4}}, Binding::shared);
  const Expr x = builder.input("x", {DType::f32, {5, 3}}, Binding::per_lane);
  const Expr y = builder.input("y", {DType::f32, {5, 4}}, Binding::per_lane);
  const Expr hidden = relu(matmul(x, w) + b);
  const Expr loss = nn::mean_squared_error(hidden * 1.0, y);
  const std::vector<Expr> gradient = grad(builder, loss, std::vector{w, b, x});
  builder.output("loss", loss);
  builder.output("gw", gradient[0]);
  builder.output("gb", -(-gradient[1]));
  builder.output("gx", gradient[2]);
  return builder.finish();
}

TEST(Pipeline, PrintsTheStoredProgramAfterEachPass) {
  int number = 0;
  Options options;
  options.after_each = [&](const Pass& pass, const Program& program) {
    expect_golden(fmt::format("{}_{}.txt", number++, pass.name), print(program));
  };
  optimise(layer_gradient(), options);
  EXPECT_EQ(static_cast<size_t>(number), pipeline().size());
}

TEST(Pipeline, KeepsTheBitsWithEachOptionalPassOff) {
  const Program program = layer_gradient();
  const auto inputs = testing_support::draw_inputs(program, {}, 3);
  const std::vector<Tensor> expected = exec::interpret(program, inputs);
  std::vector<std::string> off{""};
  for (const Pass& pass : pipeline()) {
    if (!pass.required) off.emplace_back(pass.name);
  }
  for (const std::string& name : off) {
    Options options;
    if (!name.empty()) options.disabled = {name};
    const std::vector<Tensor> actual = exec::interpret(optimise(program, options), inputs);
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(0, std::memcmp(expected[i].data(), actual[i].data(), expected[i].bytes()))
          << "output " << i << " without " << name;
    }
  }
}

TEST(Pipeline, RefusesUnknownAndRequiredPassesByName) {
  EXPECT_THROW(optimise(layer_gradient(), {.disabled = {"fuse_everything"}}), BadInput);
  EXPECT_THROW(optimise(layer_gradient(), {.disabled = {"lower_transposes"}}), BadInput);
}

TEST(Pipeline, TimesEachPass) {
  std::vector<Timing> timings;
  optimise(layer_gradient(), {}, &timings);
  ASSERT_EQ(timings.size(), pipeline().size());
  EXPECT_LT(timings.back().equations, timings.front().equations);
}

TEST(Fusion, DoesNotMergeAcrossAFinishedReduction) {
  Builder builder;
  const Expr x = builder.input("x", {DType::f32, {6, 8}}, Binding::per_lane);
  const Expr centred = x - mean_keep(x, {0});
  builder.output("y", square(centred) / (1.0 + sum_keep(square(centred), {0})));
  const Program program = builder.finish();
  const auto inputs = testing_support::draw_inputs(program, {}, 4);
  const Program fused = optimise(program);
  const auto expected = exec::interpret(program, inputs);
  const auto actual = exec::interpret(fused, inputs);
  EXPECT_EQ(0, std::memcmp(expected[0].data(), actual[0].data(), expected[0].bytes()));
}

}  // namespace
}  // namespace outerloop::passes
