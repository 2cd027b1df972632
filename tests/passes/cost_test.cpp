// Long programs cost no more per equation than short ones.

#include <gtest/gtest.h>

#include "outerloop/autodiff/autodiff.h"
#include "outerloop/ops/ops.h"
#include "outerloop/passes/pass.h"
#include "passes/fusion_groups.h"

namespace outerloop::passes {
namespace {

// A deep network and its gradient: values of the first layers are read by the last equations.
Program deep_gradient(int layers) {
  Builder builder;
  Expr x = builder.input("x", {DType::f32, {5, 4}}, Binding::per_lane);
  const Expr w = builder.input("w", {DType::f32, {4, 4}}, Binding::shared);
  const Expr b = builder.input("b", {DType::f32, {4}}, Binding::shared);
  for (int layer = 0; layer < layers; ++layer) {
    x = tanh(matmul(x, w) + b) + x * (0.5 + 0.001 * layer);
  }
  const std::vector<Expr> gradient = grad(builder, mean(square(x)), std::vector{w, b});
  builder.output("gw", gradient[0]);
  builder.output("gb", gradient[1]);
  return builder.finish();
}

double seconds_of_pipeline(const Program& program) {
  std::vector<Timing> timings;
  optimise(program, {}, &timings);
  double sum = 0;
  for (const Timing& timing : timings) sum += timing.seconds;
  return sum;
}

// 18,000 equations: 1.1 million visits. A search through all that a group depends on takes 17.3
// million, four times those of half the program.
TEST(Cost, OfFusionGrowsWithTheProgram) {
  const Program once = deep_gradient(500);
  const Program twice = deep_gradient(1000);
  ASSERT_GT(twice.equations.size(), 15000u);
  ASSERT_NEAR(static_cast<double>(twice.equations.size()),
              2.0 * static_cast<double>(once.equations.size()), 100);
  const Fusion short_one = find_fusion_groups(remove_dead_code(simplify(once)));
  const Fusion long_one = find_fusion_groups(remove_dead_code(simplify(twice)));
  EXPECT_LT(static_cast<double>(long_one.visits), 2.1 * static_cast<double>(short_one.visits));
  // To be read by people: times depend on what else the machine does.
  RecordProperty("equations", std::to_string(twice.equations.size()));
  RecordProperty("visits", std::to_string(long_one.visits));
  RecordProperty("seconds", std::to_string(seconds_of_pipeline(once)));
  RecordProperty("seconds_of_twice", std::to_string(seconds_of_pipeline(twice)));
}

}  // namespace
}  // namespace outerloop::passes
