// Running a compiled program allocates nothing: proved by counting every operator new.

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <new>

#include "outerloop/autodiff/autodiff.h"
#include "outerloop/exec/executable.h"
#include "outerloop/nn/functions.h"
#include "outerloop/ops/ops.h"
#include "support/sample_inputs.h"

namespace {
long allocations = 0;
}

void* operator new(std::size_t bytes) {
  ++allocations;
  if (void* memory = std::malloc(bytes)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace outerloop::exec {
namespace {

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

TEST(Run, AllocatesNothing) {
  const Program program = mixed_gradient();
  const auto executable = Executable::compile(program);
  if (executable->isa() == Isa::scalar) GTEST_SKIP() << "plain loops are for comparison only";
  std::vector<Tensor> tensors = testing_support::draw_inputs(program, {}, 3);
  const size_t identity = static_cast<size_t>(program.input_index("identity"));
  for (size_t i = 0; i < 4; ++i) tensors[identity].as<float>()[5 * i] = 9;
  SharedState shared(executable);
  const Workspace workspace(executable->lane_arena_bytes());
  Instance instance(executable, shared, workspace);
  for (size_t i = 0; i < program.inputs.size(); ++i) {
    shared.bind_input(static_cast<int>(i), tensors[i].data());
    instance.bind_input(static_cast<int>(i), tensors[i].data());
  }
  for (size_t o = 0; o < program.outputs.size(); ++o) {
    const TensorType& type = program.type(program.outputs[o].value);
    tensors.emplace_back(type.dtype, type.shape);
    instance.bind_output(static_cast<int>(o), tensors.back().data());
  }
  const long before = allocations;
  for (int i = 0; i < 3; ++i) {
    shared.run();
    instance.run();
  }
  EXPECT_EQ(allocations - before, 0);
}

}  // namespace
}  // namespace outerloop::exec
