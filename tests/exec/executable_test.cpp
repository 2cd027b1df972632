// The executor against the oracle: equal bits for every op sample and for whole meta-gradients, on
// every instruction set, with optional passes on and off.

#include "outerloop/exec/executable.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>

#include "exec/bound_run.h"
#include "exec/check.h"
#include "exec/sample_programs.h"
#include "outerloop/autodiff/autodiff.h"
#include "outerloop/exec/oracle.h"
#include "outerloop/ops/ops.h"
#include "outerloop/ops/records.h"
#include "support/sample_inputs.h"

namespace outerloop::exec {
namespace {

using testing_support::check_against_oracle;
using testing_support::Draw;
using testing_support::draw_inputs;
using testing_support::expect_same_bits;
using testing_support::sample_programs;
using testing_support::SampleProgram;

class OpSamples : public ::testing::TestWithParam<const OpDef*> {};

TEST_P(OpSamples, GiveTheBitsOfTheOracle) {
  const OpDef& op = *GetParam();
  for (const OpSample& sample : op.samples()) {
    for (const DType dtype : {DType::f32, DType::f64}) {
      OpSample typed = sample;
      for (TensorType& type : typed.inputs) {
        if (is_floating(type.dtype)) type.dtype = dtype;
      }
      Builder builder;
      std::vector<Expr> inputs;
      for (const TensorType& type : typed.inputs) {
        inputs.push_back(
            builder.input("x" + std::to_string(inputs.size()), type, Binding::per_lane));
      }
      builder.output("y", builder.apply(op, inputs, typed.attributes));
      check_against_oracle(builder.finish(), draw_inputs(typed, 7), std::string(op.name));
    }
  }
}

// Fused ops are made by passes; the meta-gradients below are full of them.
std::vector<const OpDef*> sampled_ops() {
  std::vector<const OpDef*> ops;
  for (const OpDef* op : all_ops()) {
    if (op->group != OpGroup::fused) ops.push_back(op);
  }
  return ops;
}

INSTANTIATE_TEST_SUITE_P(Records, OpSamples, ::testing::ValuesIn(sampled_ops()),
                         [](const auto& test) { return std::string(test.param->name); });

class MetaGradients : public ::testing::TestWithParam<SampleProgram> {};

TEST_P(MetaGradients, GiveTheBitsOfTheOracle) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Program program = GetParam().program(dtype);
    check_against_oracle(program, draw_inputs(program, Draw{}, 11), GetParam().name);
  }
}

TEST_P(MetaGradients, HaveTheirOutputsAfterTheStepsThatTheySay) {
  const Program program = GetParam().program(DType::f32);
  const auto inputs = draw_inputs(program, Draw{}, 3);
  const auto executable = Executable::compile(program);
  const Workspace workspace(executable->lane_arena_bytes());
  const std::vector<Tensor> whole = run_once(executable, inputs);
  const std::vector<size_t> steps = executable->steps_to_outputs();
  ASSERT_EQ(steps.size(), whole.size());
  for (size_t o = 0; o < whole.size(); ++o) {
    testing_support::BoundRun part(executable, inputs, workspace);
    part.run_until(steps[o]);
    EXPECT_EQ(std::memcmp(part.outputs()[o].data(), whole[o].data(), whole[o].bytes()), 0)
        << program.outputs[o].name;
  }
  // The loss is there before the sweep for its gradients.
  EXPECT_LT(std::ranges::min(steps), executable->lane_kernel_calls() / 2);
}

TEST_P(MetaGradients, ReportTheOperationsOfTheirEquations) {
  const Program program = GetParam().program(DType::f32);
  const auto executable = Executable::compile(program);
  const Flops flops = flops_of(executable->optimised());
  EXPECT_EQ(executable->lane_flops() + executable->shared_flops(), flops.all);
  EXPECT_LE(executable->lane_dense_flops(), flops.dense);
  EXPECT_LT(0, executable->lane_dense_flops());
  EXPECT_LT(executable->lane_dense_flops(), executable->lane_flops());
  // Fusion moves operations, but adds and drops none.
  const auto unfused = Executable::compile(program, {.passes = {.disabled = {"fuse_elementwise"}}});
  EXPECT_EQ(unfused->lane_dense_flops(), executable->lane_dense_flops());
  EXPECT_EQ(unfused->lane_flops(), executable->lane_flops());
}

INSTANTIATE_TEST_SUITE_P(Networks, MetaGradients, ::testing::ValuesIn(sample_programs()),
                         [](const auto& test) { return test.param.name; });

TEST(Executable, RunsWhatDependsOnSharedInputsOnce) {
  const auto executable = Executable::compile(testing_support::mlp_gradient(DType::f32, 1));
  EXPECT_GT(executable->shared_arena_bytes(), 0u);
  EXPECT_GE(executable->lane_arena_bytes(), executable->peak_live_bytes());
}

TEST(Executable, GivesAnOutputThatIsAnInputAndOneThatIsAskedForTwice) {
  Builder builder;
  const Expr x = builder.input("x", {DType::f32, {5}}, Binding::per_lane);
  const Expr y = exp(x);
  builder.output("x", x);
  builder.output("y", y);
  builder.output("y_again", reshape(y, {5, 1}));
  const Program program = builder.finish();
  check_against_oracle(program, draw_inputs(program, Draw{}, 3), "copies");
}

// exp(w) depends on shared inputs alone: computed once and copied, also where lanes go on with it.
TEST(Executable, ComputesASharedValueOnceThoughItIsAnOutput) {
  Builder builder;
  const Expr w = builder.input("w", {DType::f32, {5, 7}}, Binding::shared);
  const Expr x = builder.input("x", {DType::f32, {7, 5}}, Binding::per_lane);
  const Expr e = exp(w);
  builder.output("e", e);
  builder.output("e_as_row", reshape(e, {1, 35}));
  builder.output("t", transpose(e) + x);
  const Program program = builder.finish();
  check_against_oracle(program, draw_inputs(program, Draw{}, 5), "shared output");
  const auto executable = Executable::compile(program);
  EXPECT_EQ(executable->shared_flops(), 35);
  EXPECT_EQ(executable->lane_flops(), 35);  // the sum with x
}

// The sum must not overwrite x, though it is read by that name once: the product reads it reshaped.
TEST(Executable, OverwritesNoOperandThatIsReadByAnotherName) {
  Builder builder;
  const Expr x = exp(builder.input("x", {DType::f32, {40, 24}}, Binding::per_lane));
  const Expr w = builder.input("w", {DType::f32, {24, 24}}, Binding::shared);
  builder.output("y", sum(matmul(reshape(x, {24, 40}), w, true) + x, {1}));
  const Program program = builder.finish();
  check_against_oracle(program, draw_inputs(program, Draw{}, 5), "aliased operand");
}

// A tensor without elements has memory of its neighbours behind it.
TEST(Executable, TouchesNothingWhereThereIsNothing) {
  using Make = Expr (*)(Builder&, const std::function<Expr(const Shape&)>&);
  const std::pair<const char*, Make> cases[] = {
      {"rows",
       [](Builder&, auto& in) {
         return in({0, 40}) + broadcast_to(in({40}), {0, 40});
       }},
      {"broadcast",
       [](Builder&, auto& in) {
         return broadcast_in_dim(in({40}), {0, 40}, {1});
       }},
      {"slice",
       [](Builder&, auto& in) {
         return slice(in({4, 5}), {0, 0}, {0, 3});
       }},
      {"pad",
       [](Builder&, auto& in) {
         return pad(in({0, 5}), {1, 0}, {1, 3});
       }},
      {"concat",
       [](Builder&, auto& in) {
         return concat({in({0, 3}), in({0, 4})}, 1);
       }},
      {"sum",
       [](Builder&, auto& in) {
         return sum(in({0, 5}), {0});
       }},
      {"conv",
       [](Builder&, auto& in) {
         return conv2d(in({2, 5, 5, 0}), in({3, 3, 0, 4}), 1, {1, 1, 1, 1});
       }},
      {"conv input",
       [](Builder&, auto& in) {
         return conv2d_input(in({2, 5, 5, 0}), in({3, 3, 4, 0}), 1, {1, 1, 1, 1}, 5, 5);
       }},
      {"conv filter",
       [](Builder&, auto& in) {
         return conv2d_filter(in({0, 14, 14, 64}), in({0, 7, 7, 64}), 2, {0, 1, 1, 1}, 3, 3);
       }},
      {"conv without images", [](Builder&, auto& in) {
         return conv2d(in({0, 14, 14, 3}), in({3, 3, 3, 8}), 2, {0, 1, 1, 1});
       }}};
  for (const auto& [name, make] : cases) {
    Builder builder;
    int inputs = 0;
    const auto result = make(builder, [&](const Shape& shape) {
      return builder.input("x" + std::to_string(inputs++), {DType::f32, shape}, Binding::per_lane);
    });
    // In the arena too, between values that are needed afterwards.
    const Expr kept = builder.input("kept", {DType::f32, {50}}, Binding::per_lane);
    const Expr before = exp(kept), after = exp(before);
    builder.output("y", exp(result));
    builder.output("kept", before + after);
    const Program program = builder.finish();
    check_against_oracle(program, draw_inputs(program, Draw{}, 5), name);
  }
}

TEST(Executable, FusesWhatFollowsTheProductOfAConstant) {
  Builder builder;
  const Expr x = builder.input("x", {DType::f32, {4, 3}}, Binding::per_lane);
  const Expr w = builder.input("w", {DType::f32, {3, 2}}, Binding::shared);
  const Expr y = matmul(x, w);
  const std::vector<Expr> gradient = grad(builder, sum(y, {0, 1}), std::vector{w});
  builder.output("w", w - gradient[0] * 0.1);
  const Program program = builder.finish();
  check_against_oracle(program, draw_inputs(program, Draw{}, 5), "constant operand");
}

TEST(Executable, GivesALaneTheSameBitsWhoeverRanBeforeIt) {
  const Program program = testing_support::mlp_gradient(DType::f32, 1);
  const auto executable = Executable::compile(program);
  const std::vector<Tensor> inputs = draw_inputs(program, Draw{}, 11);
  const std::vector<Tensor> neighbour = draw_inputs(program, Draw{}, 12);
  SharedState shared(executable);
  const Workspace workspace(executable->lane_arena_bytes());
  std::vector<Instance> lanes;
  std::vector<std::vector<Tensor>> outputs(2);
  for (size_t lane = 0; lane < 2; ++lane) {
    Instance& instance = lanes.emplace_back(executable, shared, workspace);
    for (size_t i = 0; i < inputs.size(); ++i) {
      const bool own = lane == 1 && program.inputs[i].binding == Binding::per_lane;
      const Tensor& input = own ? neighbour[i] : inputs[i];
      shared.bind_input(static_cast<int>(i), inputs[i].data());
      instance.bind_input(static_cast<int>(i), input.data());
    }
    for (const ProgramOutput& output : program.outputs) {
      const TensorType& type = program.type(output.value);
      const auto place = static_cast<int>(outputs[lane].size());
      instance.bind_output(place, outputs[lane].emplace_back(type.dtype, type.shape).data());
    }
  }
  shared.run();
  for (const size_t lane : {1, 0, 1, 0}) lanes[lane].run();
  expect_same_bits(interpret(program, inputs), outputs[0], "lane after its neighbour");
}

}  // namespace
}  // namespace outerloop::exec
