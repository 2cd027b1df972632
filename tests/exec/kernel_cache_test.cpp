// Equal kernels are generated once for all programs that are compiled with one cache.

#include <gtest/gtest.h>

#include "exec/check.h"
#include "exec/sample_programs.h"
#include "outerloop/exec/oracle.h"
#include "support/sample_inputs.h"

namespace outerloop::exec {
namespace {

using testing_support::mlp_gradient;

TEST(KernelCache, MakesTheKernelsOfAProgramOnce) {
  const CompileOptions options;
  const auto first = Executable::compile(mlp_gradient(DType::f32, 1), options);
  const size_t made = options.kernels->made();
  EXPECT_GT(made, 0u);
  const CompileOptions copy = options;
  const auto again = Executable::compile(mlp_gradient(DType::f32, 1), copy);
  EXPECT_EQ(options.kernels->made(), made);
}

TEST(KernelCache, SharesKernelsBetweenPrograms) {
  const CompileOptions alone, together;
  const auto lonely = Executable::compile(mlp_gradient(DType::f32, 3), alone);
  const auto first = Executable::compile(mlp_gradient(DType::f32, 1), together);
  const size_t made = together.kernels->made();
  const auto second = Executable::compile(mlp_gradient(DType::f32, 3), together);
  EXPECT_LT(together.kernels->made() - made, alone.kernels->made());
}

TEST(KernelCache, KeepsNothingThatNoExecutableUses) {
  const CompileOptions options;
  Executable::compile(mlp_gradient(DType::f32, 1), options);
  const size_t made = options.kernels->made();
  Executable::compile(mlp_gradient(DType::f32, 1), options);
  EXPECT_EQ(options.kernels->made(), 2 * made);
}

TEST(KernelCache, TellsInstructionSetsAndTypesApart) {
  CompileOptions options;
  std::vector<std::shared_ptr<const Executable>> alive;
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Program program = mlp_gradient(dtype, 1);
    const auto inputs = testing_support::draw_inputs(program, {}, 3);
    for (const Isa isa : runnable_isas()) {
      options.isa = isa;
      const size_t before = options.kernels->made();
      alive.push_back(Executable::compile(program, options));
      EXPECT_GT(options.kernels->made(), before) << name_of(isa);
      testing_support::expect_same_bits(interpret(program, inputs), run_once(alive.back(), inputs),
                                        std::string(name_of(isa)));
    }
  }
}

}  // namespace
}  // namespace outerloop::exec
