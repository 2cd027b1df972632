// What each pass does by itself to a program made for it, as text; and that no pass changes a bit
// of any generated program.

#include <gtest/gtest.h>

#include <set>

#include "exec/check.h"
#include "ops/generated.h"
#include "outerloop/exec/oracle.h"
#include "outerloop/ops/ops.h"
#include "outerloop/passes/pass.h"
#include "passes/golden.h"

namespace outerloop::passes {
namespace {

struct Example {
  std::string_view pass;
  void (*write)(Builder& builder, Expr x, Expr w);  // x (4, 3) per lane, w (3, 4) shared
};

void dead_and_living(Builder& builder, Expr x, Expr w) {
  const Expr product = matmul(x, w);
  exp(sum(product, {0}));  // read by nobody
  const Expr dead = square(x);
  neg(dead);
  builder.output("y", tanh(product));
}

void things_to_simplify(Builder& builder, Expr x, Expr w) {
  builder.output("negated twice", exp(-(-x)));
  builder.output("negated terms", (-x + x * 1.0) - (-exp(x)));
  builder.output("quarter", x / full_like(x, 4) + x * -1.0);
  builder.output("folded", x + exp(full_like(x, 0)));
  builder.output("shapes", reshape(reshape(x, {2, 6}), {3, 4}));
  builder.output("repeated", broadcast_to(reshape(sum(x, {0}), {1, 3}), {2, 4, 3}));
  builder.output("product", transpose(matmul(x, w)) + matmul(transpose(w), transpose(x)));
  builder.output("kept", transpose(transpose(x)) * stop_gradient(x));
  builder.output("whole",
                 slice_axis(concat({x}, 0), 0, 0, 4) + sum_keep(reshape(x, {4, 1, 3}), {1}));
}

void things_twice(Builder& builder, Expr x, Expr w) {
  builder.output("y", exp(matmul(x, w)) * exp(matmul(x, w)));
  builder.output("z", sum(exp(matmul(x, w)), {0}) + 0.5);
  builder.output("other axis", sum(exp(matmul(x, w)), {1}) + 0.5);
}

void transposed_operands(Builder& builder, Expr x, Expr w) {
  builder.output("second", matmul(x, x, false, true));
  builder.output("both", matmul(x, w, true, true));
  builder.output("first", matmul(x, x, true, false));
  builder.output("row", matmul(slice_axis(w, 0, 0, 1), slice_axis(w, 0, 1, 2), false, true));
}

void chains_to_fuse(Builder& builder, Expr x, Expr w) {
  const Expr bias = builder.input("bias", {DType::f32, {4}}, Binding::shared);
  const Expr hidden = relu(matmul(x, w) + bias);
  builder.output("epilogue", hidden);
  const Expr centred = x - mean_keep(x, {0});
  builder.output("around a reduction", centred / (1.0 + sum_keep(square(centred), {0})));
  builder.output("two axes", sum(square(hidden), {0}) + sum(hidden, {1}));
}

void outputs_at_the_end(Builder& builder, Expr x, Expr w) {
  const Expr product = matmul(x, w);
  const Expr longer = tanh(matmul(transpose(w), transpose(x)));
  builder.output("of the input", exp(x));
  builder.output("of the product", sum(product, {0}));
  builder.output("of both", transpose(longer) + product);
}

constexpr Example kExamples[] = {
    {"dead_code", dead_and_living},       {"simplify", things_to_simplify},
    {"common_expressions", things_twice}, {"lower_transposes", transposed_operands},
    {"fuse_elementwise", chains_to_fuse}, {"outputs_early", outputs_at_the_end}};

Program program_of(const Example& example) {
  Builder builder;
  const Expr x = builder.input("x", {DType::f32, {4, 3}}, Binding::per_lane);
  const Expr w = builder.input("w", {DType::f32, {3, 4}}, Binding::shared);
  example.write(builder, x, w);
  return builder.finish();
}

const Pass& pass_of(std::string_view name) {
  return *std::ranges::find(pipeline(), name, &Pass::name);
}

TEST(EachPass, HasAnExample) {
  std::set<std::string_view> passes, examples;
  for (const Pass& pass : pipeline()) passes.insert(pass.name);
  for (const Example& example : kExamples) examples.insert(example.pass);
  EXPECT_EQ(passes, examples);
}

TEST(EachPass, ChangesItsExampleToTheStoredProgram) {
  for (const Example& example : kExamples) {
    const Program program = program_of(example);
    const std::string after = print(pass_of(example.pass).run(program));
    EXPECT_NE(after, print(program)) << example.pass << " did nothing";
    testing_support::expect_golden(fmt::format("alone_{}.txt", example.pass), after);
  }
}

// All passes; without each optional one; each one alone, as often as the pipeline has it.
void expect_bits_kept(const Program& program, const std::vector<Tensor>& inputs,
                      const std::string& what) {
  const std::vector<Tensor> expected = exec::interpret(program, inputs);
  std::set<std::string> optional;
  for (const Pass& pass : pipeline()) {
    if (!pass.required) optional.emplace(pass.name);
  }
  std::vector<std::vector<std::string>> off{{}};
  for (const std::string& name : optional) {
    off.push_back({name});
    std::vector<std::string>& others = off.emplace_back();
    for (const std::string& other : optional) {
      if (other != name) others.push_back(other);
    }
  }
  for (const auto& disabled : off) {
    const Program optimised = optimise(program, {.disabled = disabled});
    testing_support::expect_same_bits(expected, exec::interpret(optimised, inputs),
                                      fmt::format("{}, {} passes off ({})", what, disabled.size(),
                                                  disabled.empty() ? "" : disabled.front()));
  }
}

TEST(Passes, KeepTheBitsOfChains) {
  for (int rank = 0; rank <= Shape::kMaxRank; ++rank) {
    for (uint32_t seed = 100; seed < 115; ++seed) {
      const auto made = testing::random_chain(rank, seed % 2 == 0 ? DType::f32 : DType::f64, seed);
      expect_bits_kept(made.program, made.inputs, made.name);
    }
  }
}

TEST(Passes, KeepTheBitsOfEveryOpAmongOthers) {
  for (const auto& c : testing::all_cases()) {
    for (const DType dtype : {DType::f32, DType::f64}) {
      const auto made = testing::neighbourhood(c, dtype, 9);
      expect_bits_kept(made.program, made.inputs, made.name);
    }
  }
}

TEST(Passes, KeepTheBitsOfTheirExamples) {
  for (const Example& example : kExamples) {
    const Program program = program_of(example);
    std::mt19937 random(4);
    std::vector<Tensor> inputs;
    for (const ProgramInput& input : program.inputs) {
      inputs.push_back(testing::draw_uniform(program.type(input.value), -1.5, 1.5, random));
    }
    expect_bits_kept(program, inputs, std::string(example.pass));
  }
}

}  // namespace
}  // namespace outerloop::passes
