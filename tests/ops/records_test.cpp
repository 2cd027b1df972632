// What every op record must keep: generated from the records and their samples.

#include "outerloop/ops/records.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "ops/samples.h"
#include "outerloop/exec/oracle.h"
#include "outerloop/ops/ops.h"

namespace outerloop {
namespace {

using testing::OpCase;

TEST(Records, HaveUniqueNamesRulesAndSamples) {
  std::set<std::string_view> names;
  for (const OpDef* op : all_ops()) {
    EXPECT_TRUE(names.insert(op->name).second) << op->name << " is there twice";
    EXPECT_EQ(find_op(op->name), op);
    EXPECT_NE(op->infer, nullptr) << op->name;
    EXPECT_EQ(op->scalar != nullptr, op->group == OpGroup::elementwise) << op->name;
    EXPECT_EQ(op->vjp == nullptr, op->jvp == nullptr) << op->name << " lacks one of the two modes";
    ASSERT_NE(op->samples, nullptr) << op->name << " has no samples, so nothing tests it";
    EXPECT_FALSE(op->samples().empty()) << op->name << " has no samples, so nothing tests it";
  }
  EXPECT_EQ(find_op("no such op"), nullptr);
}

// The op alone, on its sample.
Program program_of(const OpCase& c, DType dtype) {
  const OpSample sample = testing::in_type(testing::sample_of(c), dtype);
  Builder builder;
  std::vector<Expr> inputs;
  for (size_t i = 0; i < sample.inputs.size(); ++i) {
    inputs.push_back(builder.input(std::to_string(i), sample.inputs[i], Binding::per_lane));
  }
  const auto outputs = builder.apply_multiple(*c.op, inputs, sample.attributes);
  for (size_t i = 0; i < outputs.size(); ++i) builder.output(std::to_string(i), outputs[i]);
  return builder.finish();
}

class Record : public ::testing::TestWithParam<OpCase> {};

TEST_P(Record, GivesTheTypesOfItsRule) {
  const Program program = program_of(GetParam(), DType::f32);
  std::mt19937 generator(1);
  const auto outputs =
      exec::interpret(program, testing::draw_inputs(testing::sample_of(GetParam()), generator));
  ASSERT_EQ(outputs.size(), program.outputs.size());
  for (size_t i = 0; i < outputs.size(); ++i) {
    const TensorType& stated = program.type(program.outputs[i].value);
    EXPECT_EQ(outputs[i].dtype(), stated.dtype);
    EXPECT_EQ(outputs[i].shape(), stated.shape);
  }
}

TEST_P(Record, GivesNearlyTheSameInBothPrecisions) {
  std::vector<std::vector<Tensor>> results;
  for (DType dtype : {DType::f32, DType::f64}) {
    std::mt19937 generator(2);
    const OpSample sample = testing::in_type(testing::sample_of(GetParam()), dtype);
    results.push_back(
        exec::interpret(program_of(GetParam(), dtype), testing::draw_inputs(sample, generator)));
  }
  for (size_t i = 0; i < results[0].size(); ++i) {
    const auto single = results[0][i].to_doubles(), twice = results[1][i].to_doubles();
    for (size_t k = 0; k < single.size(); ++k) {
      EXPECT_NEAR(single[k], twice[k], 2e-6 * (1 + std::fabs(twice[k])));
      EXPECT_TRUE(std::isfinite(twice[k]));
    }
  }
}

TEST_P(Record, PrintsItsNameAndItsAttributes) {
  const std::string text = print(program_of(GetParam(), DType::f32));
  EXPECT_NE(text.find(std::string(GetParam().op->name) + "("), std::string::npos) << text;
  const OpSample sample = testing::sample_of(GetParam());
  for (const auto& [name, value] : sample.attributes.items()) {
    EXPECT_NE(text.find(name + "="), std::string::npos) << text;
  }
}

TEST_P(Record, CountsItsWork) {
  const Program program = program_of(GetParam(), DType::f32);
  const double flops = flops_of(program, program.equations[0]);
  EXPECT_GE(flops, 0);
  const OpGroup group = GetParam().op->group;
  const bool computes = group == OpGroup::elementwise || group == OpGroup::contraction;
  EXPECT_EQ(computes && flops == 0, false);
}

// relu(x w + b): a product of 2 x 3 x 4, then one sum and one maximum per element.
TEST(Flops, TellContractionsFromTheRest) {
  Builder body;
  const Expr x = body.input("x", {DType::f32, {2, 3}}, Binding::per_lane);
  const Expr w = body.input("w", {DType::f32, {3, 4}}, Binding::shared);
  const Expr b = body.input("b", {DType::f32, {4}}, Binding::shared);
  body.output("y", relu(matmul(x, w) + b));
  const Program layer = body.finish();
  EXPECT_EQ(flops_of(layer).dense, 2 * 2 * 3 * 4);
  EXPECT_EQ(flops_of(layer).all, 2 * 2 * 3 * 4 + 8 + 8);

  Builder builder;
  const std::vector<Expr> inputs{builder.input("x", {DType::f32, {2, 3}}, Binding::per_lane),
                                 builder.input("w", {DType::f32, {3, 4}}, Binding::shared),
                                 builder.input("b", {DType::f32, {4}}, Binding::shared)};
  const auto shared_body = std::make_shared<const Program>(layer);
  builder.output("y", builder.apply(ops::fused, inputs, {{"body", shared_body}}));
  const Program fused = builder.finish();
  EXPECT_EQ(flops_of(fused).dense, flops_of(layer).dense);
  EXPECT_EQ(flops_of(fused).all, flops_of(layer).all);
}

TEST(Flops, CountTheTapsOnPaddingOfAConvolution) {
  Builder builder;
  const Expr x = builder.input("x", {DType::f32, {5, 6, 6, 2}}, Binding::per_lane);
  const Expr w = builder.input("w", {DType::f32, {3, 3, 2, 7}}, Binding::shared);
  builder.output("y", conv2d(x, w, 1, {1, 1, 1, 1}));
  EXPECT_EQ(flops_of(builder.finish()).dense, 2 * (5 * 6 * 6) * (3 * 3 * 2 * 7));
}

INSTANTIATE_TEST_SUITE_P(All, Record, ::testing::ValuesIn(testing::all_cases()),
                         [](const auto& instance) { return testing::name_of(instance.param); });

}  // namespace
}  // namespace outerloop
