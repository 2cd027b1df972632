// Programs: building, inlining, checking, printing.

#include "outerloop/ir/program.h"

#include <gtest/gtest.h>

#include "outerloop/base/error.h"
#include "outerloop/ir/builder.h"
#include "outerloop/ops/ops.h"
#include "outerloop/ops/records.h"

namespace outerloop {
namespace {

TensorType f32(Shape shape) {
  return {DType::f32, shape};
}

// relu(x w + b)
Program layer() {
  Builder builder;
  const Expr x = builder.input("x", f32({5, 2}), Binding::per_lane);
  const Expr w = builder.input("w", f32({2, 3}), Binding::shared);
  const Expr b = builder.input("b", f32({3}), Binding::shared);
  builder.output("h", relu(matmul(x, w) + b));
  return builder.finish();
}

template <class Function>
std::string internal_error_of(Function&& function) {
  try {
    function();
  } catch (const InternalError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(Print, OneLineAnEquation) {
  EXPECT_EQ(print(layer()),
            "in  %0:f32(5, 2) per_lane x\n"
            "in  %1:f32(2, 3) shared w\n"
            "in  %2:f32(3) shared b\n"
            "  %3:f32(5, 3) = matmul(%0, %1; transpose_a=0, transpose_b=0)\n"
            "  %4:f32(5, 3) = broadcast(%2; axes=[1], shape=[5, 3])\n"
            "  %5:f32(5, 3) = add(%3, %4)\n"
            "  %6:f32(5, 3) = relu(%5)\n"
            "out %6 h\n");
}

TEST(Print, BodiesAreIndented) {
  Builder builder;
  const Program inner = layer();
  std::vector<Expr> inputs;
  for (const ProgramInput& input : inner.inputs) {
    inputs.push_back(builder.input(input.name, inner.type(input.value), input.binding));
  }
  builder.output(
      "h", builder.apply(ops::fused, inputs, {{"body", std::make_shared<const Program>(inner)}}));
  const std::string text = print(builder.finish());
  EXPECT_NE(text.find("= fused(%0, %1, %2; body={\n    in  %0:f32(5, 2) per_lane x\n"),
            std::string::npos)
      << text;
}

TEST(Builder, InlinesAnotherProgram) {
  const Program inner = layer();
  Builder builder;
  const Expr x = builder.input("x", f32({5, 2}), Binding::per_lane);
  const Expr w = builder.input("w", f32({2, 3}), Binding::shared);
  const Expr zero = constant(builder, 0, f32({3}));
  const std::vector<Expr> arguments{x, w, zero};
  const std::vector<Expr> results = builder.inline_program(inner, arguments);
  ASSERT_EQ(results.size(), 1U);
  builder.output("h", results[0]);
  EXPECT_EQ(builder.finish().equations.size(), inner.equations.size() + 1);
}

TEST(Builder, RefusesTwoInputsOfOneName) {
  Builder builder;
  builder.input("x", f32({}), Binding::shared);
  EXPECT_NE(internal_error_of([&] {
              builder.input("x", f32({}), Binding::shared);
            }).find("two inputs are called 'x'"),
            std::string::npos);
}

TEST(Builder, RefusesValuesOfAnotherProgram) {
  Builder builder, other;
  const Expr x = builder.input("x", f32({}), Binding::shared);
  const Expr y = other.input("y", f32({}), Binding::shared);
  EXPECT_NE(internal_error_of([&] { x + y; }).find("belongs to another program"),
            std::string::npos);
}

TEST(Builder, IsEmptyAfterFinish) {
  Builder builder;
  builder.output("x", builder.input("x", f32({}), Binding::shared));
  builder.finish();
  EXPECT_TRUE(builder.program().values.empty());
}

// Each of these breaks one rule of a valid program.
struct Breakage {
  const char* name;
  void (*damage)(Program& program);
  const char* message;
};
class Verify : public ::testing::TestWithParam<Breakage> {};

TEST_P(Verify, NamesWhatIsBroken) {
  Program program = layer();
  EXPECT_NO_THROW(verify(program));
  GetParam().damage(program);
  const std::string error = internal_error_of([&] { verify(program); });
  EXPECT_NE(error.find(GetParam().message), std::string::npos) << error;
}

INSTANTIATE_TEST_SUITE_P(
    Programs, Verify,
    ::testing::Values(Breakage{"order",
                               [](Program& p) { std::swap(p.equations[0], p.equations[2]); },
                               "equation 0 (add) reads %3 before it is written"},
                      Breakage{"twice",
                               [](Program& p) { p.equations.push_back(p.equations.back()); },
                               "equation 4 (relu) writes %6 a second time"},
                      Breakage{"type",
                               [](Program& p) {
                                 p.values[6] = f32({5, 4});
                               },
                               "equation 3 (relu) gives f32(5, 3), the program states f32(5, 4)"},
                      Breakage{"arity", [](Program& p) { p.equations[3].inputs.push_back({0}); },
                               "equation 3 (relu) has 2 inputs"},
                      Breakage{"output", [](Program& p) { p.equations.pop_back(); },
                               "output 'h' reads %6 before it is written"}),
    [](const auto& instance) { return instance.param.name; });

TEST(Attributes, AreSortedAndCompareByBits) {
  const Attributes a{{"b", int64_t{1}}, {"a", 0.5}}, b{{"a", 0.5}, {"b", int64_t{1}}};
  EXPECT_EQ(a, b);
  EXPECT_EQ(a.items().front().first, "a");
  EXPECT_FALSE((Attributes{{"x", 0.0}} == Attributes{{"x", -0.0}}));
}

TEST(Attributes, MissingOrMistypedOnesAreDefects) {
  const Attributes a{{"axis", int64_t{1}}};
  EXPECT_THROW(a.integer("stride"), InternalError);
  EXPECT_THROW(a.real("axis"), InternalError);
  EXPECT_EQ(a.find("stride"), nullptr);
}

TEST(Producers, AreEquationsOrMinusOne) {
  EXPECT_EQ(producers(layer()), (std::vector<int32_t>{-1, -1, -1, 0, 1, 2, 3}));
}

}  // namespace
}  // namespace outerloop
