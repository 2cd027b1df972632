// Running a compiled program allocates nothing: proved by counting every operator new.

#include <gtest/gtest.h>

#include <memory>

#include "exec/bound_run.h"
#include "ops/generated.h"
#include "outerloop/autodiff/autodiff.h"
#include "outerloop/exec/executable.h"
#include "outerloop/nn/functions.h"
#include "outerloop/ops/ops.h"
#include "support/counting_new.h"
#include "support/sample_inputs.h"

namespace outerloop::exec {
namespace {

using testing_support::allocations;
using testing_support::BoundRun;

// Fused loops, contractions, reductions, movement, and a factorisation that runs the plain kernel.
Program mixed_gradient() {
  Builder builder;
  const Expr w = builder.input("w", {DType::f32, {3, 4}}, Binding::shared);
  const Expr x = builder.input("x", {DType::f32, {5, 3}}, Binding::per_lane);
  const Expr y = builder.input("y", {DType::i32, {5}}, Binding::per_lane);
  const Expr logits = relu(matmul(x, w));
  const Expr identity = builder.input("identity", {DType::f32, {4, 4}}, Binding::shared);
  const Expr factor = cholesky(matmul(logits, logits, true) + identity);
  const Expr loss = nn::softmax_cross_entropy(logits, y) + sum(factor, {0, 1});
  builder.output("loss", loss);
  builder.output("gradient", grad(builder, loss, std::vector{w}).front());
  return builder.finish();
}

TEST(Run, TheCounterCounts) {
  const long before = allocations;
  const auto one = std::make_unique<int>(1);
  EXPECT_EQ(allocations - before, *one);
}

// Those of three runs after the first, for which the plain loops may find their room.
long allocations_of(const Program& program, const std::vector<Tensor>& inputs, Isa isa) {
  const auto executable = Executable::compile(program, {.isa = isa});
  const Workspace workspace(executable->lane_arena_bytes());
  BoundRun bound(executable, inputs, workspace);
  bound.run();
  const long before = allocations;
  for (int i = 0; i < 3; ++i) bound.run();
  return allocations - before;
}

TEST(Run, AllocatesNothing) {
  const Program program = mixed_gradient();
  std::vector<Tensor> inputs = testing_support::draw_inputs(program, {}, 3);
  const auto identity = static_cast<size_t>(program.input_index("identity"));
  for (size_t i = 0; i < 4; ++i) inputs[identity].as<float>()[5 * i] = 9;
  for (const Isa isa : runnable_isas()) {
    EXPECT_EQ(allocations_of(program, inputs, isa), 0) << name_of(isa);
  }
}

TEST(Run, AllocatesNothingForAnyOp) {
  for (const auto& c : outerloop::testing::all_cases()) {
    const auto made = outerloop::testing::neighbourhood(c, DType::f32, 5);
    for (const Isa isa : runnable_isas()) {
      EXPECT_EQ(allocations_of(made.program, made.inputs, isa), 0)
          << made.name << " " << name_of(isa);
    }
  }
}

}  // namespace
}  // namespace outerloop::exec
