// Every op that computes something can be measured, at each of its sizes.

#include "outerloop/exec/bench_ops.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "outerloop/ops/records.h"

namespace outerloop::exec {
namespace {

TEST(BenchOps, EveryOpThatComputesHasASize) {
  const std::vector<OpCase> cases = op_cases();
  for (const OpDef* op : all_ops()) {
    if (op->group == OpGroup::constant || op->group == OpGroup::fused) continue;
    EXPECT_NE(std::ranges::find(cases, op, &OpCase::op), cases.end()) << op->name;
  }
}

TEST(BenchOps, EverySizeRuns) {
  for (const OpCase& op_case : op_cases()) {
    const OpSpeed speed = measure_op(op_case, {}, 1e-4);
    EXPECT_GT(speed.seconds, 0) << speed.op << ' ' << speed.shapes;
    EXPECT_GT(speed.bytes, 0) << speed.op << ' ' << speed.shapes;
  }
}

TEST(BenchOps, CountsTheWorkOfAProduct) {
  const std::vector<OpCase> cases = op_cases();
  const auto product = std::ranges::find_if(cases, [](const OpCase& c) {
    return c.op == &ops::matmul && c.sample.inputs[0].shape == Shape{64, 64};
  });
  ASSERT_NE(product, cases.end());
  const OpSpeed speed = measure_op(*product, {}, 1e-4);
  EXPECT_EQ(speed.flops, 2.0 * 64 * 64 * 64);
  EXPECT_EQ(speed.bytes, 3.0 * 64 * 64 * 4);
}

}  // namespace
}  // namespace outerloop::exec
