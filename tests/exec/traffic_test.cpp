// What steps touch of memory, against counts by hand.

#include "exec/plan/traffic.h"

#include <gtest/gtest.h>

#include "outerloop/ops/ops.h"
#include "outerloop/passes/pass.h"

namespace outerloop::exec {
namespace {

using Bytes = std::vector<int64_t>;

ScalarBody nothing() {
  return {};
}

struct Case {
  std::string what;
  StepSpec spec;
  Bytes bytes;
};

TEST(Traffic, IsEachElementOnce) {
  const Epilogue bias_and_relu{
      .body = nothing(), .inputs = {{0, 0, 1}}, .outputs = {{10, 5, 1}, {10, 5, 1}}};
  const ConvGeometry conv{.images = 2,
                          .height = 6,
                          .width = 6,
                          .in_channels = 3,
                          .out_height = 3,
                          .out_width = 3,
                          .out_channels = 4,
                          .stride = 2};
  const Epilogue stored{.body = nothing(), .inputs = {}, .outputs = {{0, 4, 1}}};
  const Epilogue stored_input{.body = nothing(), .inputs = {}, .outputs = {{0, 3, 1}}};
  const RowsSpec rows{.dtype = DType::f64, .outer = 2, .extent = 7, .inner = 3, .count = 4};
  const RowsSpec by_row{.outer = 5, .extent = 7};
  const Case kCases[] = {
      {"a row on every row, and its sums",
       LoopSpec{.extents = {4, 6},
                .inputs = {{6, 1}, {0, 1}},
                .body = nothing(),
                .outputs = {{LoopOutputKind::store, {6, 1}}, {LoopOutputKind::sum_rows, {0, 1}}}},
       {96, 24, 96, 24}},
      {"a product that shares B",
       MatmulSpec{.batch = 3,
                  .m = 2,
                  .n = 5,
                  .k = 4,
                  .a_batch = 8,
                  .a_row = 4,
                  .b_k = 5,
                  .epilogue = bias_and_relu},
       {96, 80, 20, 120, 120}},
      {"a convolution", ConvSpec{.geometry = conv, .epilogue = stored}, {864, 432, 288}},
      {"its input",
       ConvSpec{.direction = ConvDirection::input, .geometry = conv, .epilogue = stored_input},
       {288, 432, 864}},
      {"its filter",
       ConvSpec{.direction = ConvDirection::filter, .geometry = conv, .epilogue = stored},
       {864, 288, 432}},
      {"boxes",
       MoveSpec{.moves = {{.extents = {2, 3}, .source = {6, 1}, .target = {3, 1}},
                          {.extents = {4}, .source = {0}, .target = {1}}}},
       {24, 4, 40}},
      {"a box among zeros",
       MoveSpec{.moves = {{.extents = {2}, .source = {1}, .target = {1}}},
                .fills = true,
                .target_elements = 9},
       {8, 36}},
      {"chosen rows", IndexSpec{IndexKind::gather_rows, rows, {}}, {192, 16, 192}},
      {"added rows", IndexSpec{IndexKind::scatter_add_rows, rows, {}}, {192, 16, 336}},
      {"one of each row", IndexSpec{IndexKind::take_per_row, by_row, {}}, {20, 20, 20}},
      {"one into each row", IndexSpec{IndexKind::put_per_row, by_row, {}}, {20, 20, 140}},
      {"a one in each row", IndexSpec{IndexKind::one_hot, by_row, {}}, {20, 140}},
      {"windows", MaxPoolSpec{.images = 2, .height = 4, .width = 4, .channels = 3}, {384, 96}},
      {"a copy", CopySpec{12}, {12, 12}},
  };
  for (const Case& c : kCases) EXPECT_EQ(c.bytes, touched_bytes(c.spec)) << c.what;
}

// Two products with a chain between: what lies in the arena counts where that is memory.
TEST(Traffic, OfAPlanLeavesTheArenaOutWhereItIsNoMemory) {
  Builder builder;
  const Expr x = builder.input("x", {DType::f32, {4, 8}}, Binding::per_lane);
  const Expr w = builder.input("w", {DType::f32, {8, 8}}, Binding::shared);
  builder.output("y", matmul(exp(matmul(x, w)), w));
  const ProgramPlan plan = plan_program(passes::optimise(builder.finish(), {}));
  const int64_t matrix = 4 * 8 * 4, weights = 8 * 8 * 4;
  const int64_t outside = 2 * matrix + 2 * weights;
  EXPECT_EQ(outside, traffic_of(plan.lane, false));
  EXPECT_EQ(outside + 2 * matrix, traffic_of(plan.lane, true)) << "exp is in the first's epilogue";
}

}  // namespace
}  // namespace outerloop::exec
