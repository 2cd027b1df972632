// Reuse of an operand's memory for a result: for every op whose record allows it, where it may be
// done and where it must not be. Always the bits of the oracle, which reuses nothing.

#include <gtest/gtest.h>

#include "exec/bound_run.h"
#include "exec/check.h"
#include "ops/samples.h"
#include "outerloop/exec/oracle.h"
#include "outerloop/ops/ops.h"
#include "outerloop/ops/records.h"

namespace outerloop::exec {
namespace {

using outerloop::testing::OpCase;
using testing_support::BoundRun;

// The sample's op between others. Operands come from elementwise ops, so that they lie in the
// arena; `chosen` is the one that might be overwritten.
struct Chain {
  Builder builder;
  OpSample sample;
  std::vector<Expr> inputs;    // of the program
  std::vector<Expr> operands;  // of the op
  const OpDef& op;

  Chain(const OpCase& c, DType dtype, size_t chosen)
      : sample(outerloop::testing::in_type(outerloop::testing::sample_of(c), dtype)), op(*c.op) {
    for (const TensorType& type : sample.inputs) {
      inputs.push_back(builder.input("x" + std::to_string(inputs.size()), type, Binding::per_lane));
    }
    operands = inputs;
    operands[chosen] = passed_on(inputs[chosen]);
  }

  // The same value, computed: a step that writes to the arena.
  static Expr passed_on(Expr x) { return maximum(x, full_like(x, -1e6)); }
  Expr result() { return builder.apply(op, operands, sample.attributes); }
  size_t bytes() const { return inputs.front().type().bytes(); }
};

// Runs it op by op in the order written and gives the size of its arena.
size_t check(Chain& chain, const std::string& what) {
  const Program program = chain.builder.finish();
  std::mt19937 random(3);
  const std::vector<Tensor> inputs = outerloop::testing::draw_inputs(chain.sample, random);
  std::vector<Tensor> untouched;
  for (const Tensor& input : inputs) untouched.push_back(input.clone());
  const std::vector<Tensor> expected = interpret(program, inputs);
  size_t arena = 0;
  for (const Isa isa : runnable_isas()) {
    const CompileOptions options{.isa = isa,
                                 .passes = {.disabled = {"fuse_elementwise", "simplify",
                                                         "common_expressions", "outputs_early"}}};
    const auto executable = Executable::compile(program, options);
    const std::string where = what + " " + std::string(name_of(isa));
    const Workspace workspace(executable->lane_arena_bytes());
    BoundRun bound(executable, inputs, workspace);
    for (int run = 0; run < 2; ++run) bound.run();
    testing_support::expect_same_bits(expected, bound.outputs(), where);
    testing_support::expect_same_bits(untouched, inputs, where + ": an input changed");
    arena = executable->lane_arena_bytes();
  }
  return arena;
}

std::vector<OpCase> in_place_cases() {
  std::vector<OpCase> cases;
  for (const OpCase& c : outerloop::testing::all_cases()) {
    if (c.op->in_place) cases.push_back(c);
  }
  return cases;
}

class InPlace : public ::testing::TestWithParam<OpCase> {
 protected:
  // For each operand in turn, in both precisions.
  template <class Test>
  void for_each_operand(Test&& test) {
    for (const DType dtype : {DType::f32, DType::f64}) {
      for (size_t chosen = 0; chosen < static_cast<size_t>(GetParam().op->arity); ++chosen) {
        Chain chain(GetParam(), dtype, chosen);
        test(chain, chosen);
      }
    }
  }
  // One buffer, or two with the first aligned.
  static size_t one(const Chain& chain) { return chain.bytes(); }
  static size_t two(const Chain& chain) { return (chain.bytes() + 63) / 64 * 64 + chain.bytes(); }
  static std::string what() { return outerloop::testing::name_of(GetParam()); }
};

TEST_P(InPlace, ReusesAnOperandThatIsReadForTheLastTime) {
  for_each_operand([&](Chain& chain, size_t) {
    chain.builder.output("y", neg(chain.result()));
    const size_t expected = one(chain);
    EXPECT_EQ(check(chain, what()), expected) << what();
  });
}

TEST_P(InPlace, ReusesAnOperandThatIsReadTwiceByTheSameOp) {
  for_each_operand([&](Chain& chain, size_t chosen) {
    for (size_t i = 0; i < chain.operands.size(); ++i) chain.operands[i] = chain.operands[chosen];
    chain.builder.output("y", neg(chain.result()));
    const size_t expected = one(chain);
    EXPECT_EQ(check(chain, what()), expected) << what();
  });
}

TEST_P(InPlace, KeepsAnOperandThatIsReadLater) {
  if (GetParam().op == &ops::stop_gradient) GTEST_SKIP() << "its result is its operand";
  for_each_operand([&](Chain& chain, size_t chosen) {
    chain.builder.output("y", neg(chain.result()));
    chain.builder.output("z", square(chain.operands[chosen]));
    const size_t expected = two(chain);
    EXPECT_EQ(check(chain, what()), expected) << what();
  });
}

TEST_P(InPlace, KeepsAnOperandThatIsReadLaterByAnotherName) {
  if (GetParam().op == &ops::stop_gradient) GTEST_SKIP() << "its result is its operand";
  for_each_operand([&](Chain& chain, size_t chosen) {
    const Expr renamed =
        reshape(chain.operands[chosen], {1, chain.operands[chosen].shape().elements()});
    chain.builder.output("y", neg(chain.result()));
    chain.builder.output("z", square(renamed));
    const size_t expected = two(chain);
    EXPECT_EQ(check(chain, what()), expected) << what();
  });
}

TEST_P(InPlace, KeepsTheInputsOfTheProgram) {
  if (GetParam().op == &ops::stop_gradient) GTEST_SKIP() << "its result is its operand";
  for_each_operand([&](Chain& chain, size_t chosen) {
    chain.operands[chosen] = chain.inputs[chosen];
    chain.builder.output("y", neg(chain.result()));
    const size_t expected = one(chain);
    EXPECT_EQ(check(chain, what()), expected) << what();
  });
}

TEST_P(InPlace, KeepsAnOperandThatIsAnOutput) {
  for_each_operand([&](Chain& chain, size_t chosen) {
    chain.builder.output("e", chain.operands[chosen]);
    chain.builder.output("y", neg(chain.result()));
    check(chain, what());
  });
}

// The operand is read again for every row of the result, one row of it as large as the result.
TEST_P(InPlace, KeepsAnOperandThatIsRepeated) {
  for_each_operand([&](Chain& chain, size_t chosen) {
    const Expr x = chain.operands[chosen];
    if (x.shape().rank() != 2) return;
    const Expr row = reshape(slice_axis(x, 0, 0, 1), {x.shape()[1]});
    chain.operands[chosen] = broadcast_in_dim(Chain::passed_on(row), x.shape(), {1});
    const Expr y = chain.result();
    chain.builder.output("y", neg(y));
    check(chain, what());
  });
}

INSTANTIATE_TEST_SUITE_P(Records, InPlace, ::testing::ValuesIn(in_place_cases()),
                         [](const auto& test) { return outerloop::testing::name_of(test.param); });

}  // namespace
}  // namespace outerloop::exec
