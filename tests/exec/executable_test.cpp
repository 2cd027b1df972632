// The executor against the oracle: equal bits for every op sample and for whole meta-gradients, on
// every instruction set, with optional passes on and off.

#include "outerloop/exec/executable.h"

#include <gtest/gtest.h>

#include <cstring>

#include "outerloop/autodiff/autodiff.h"
#include "outerloop/exec/oracle.h"
#include "outerloop/nn/functions.h"
#include "outerloop/ops/records.h"
#include "support/sample_inputs.h"

namespace outerloop::exec {
namespace {

using testing_support::Draw;
using testing_support::draw_inputs;

std::vector<Isa> available_isas() {
  std::vector<Isa> isas{Isa::scalar};
  if (__builtin_cpu_supports("avx2")) isas.push_back(Isa::avx2);
  if (__builtin_cpu_supports("avx512f")) isas.push_back(Isa::avx512);
  return isas;
}

void expect_equal_bits(const std::vector<Tensor>& expected, const std::vector<Tensor>& actual,
                       const std::string& what) {
  ASSERT_EQ(expected.size(), actual.size()) << what;
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_EQ(expected[i].shape(), actual[i].shape()) << what;
    if (std::memcmp(expected[i].data(), actual[i].data(), expected[i].bytes()) == 0) continue;
    const auto a = expected[i].to_doubles();
    const auto b = actual[i].to_doubles();
    for (size_t k = 0; k < a.size(); ++k) {
      ASSERT_TRUE(a[k] == b[k] || (std::isnan(a[k]) && std::isnan(b[k])))
          << what << ": output " << i << " " << to_string(expected[i].shape()) << " element " << k
          << ": expected " << a[k] << ", got " << b[k];
    }
  }
}

void check_against_oracle(const Program& program, const std::vector<Tensor>& inputs,
                          const std::string& what) {
  const std::vector<Tensor> expected = interpret(program, inputs);
  for (const Isa isa : available_isas()) {
    for (const bool optional : {true, false}) {
      CompileOptions options{.isa = isa};
      for (const passes::Pass& pass : passes::pipeline()) {
        if (!optional && !pass.required) options.passes.disabled.emplace_back(pass.name);
      }
      const auto executable = Executable::compile(program, options);
      expect_equal_bits(
          expected, run_once(executable, inputs),
          what + " " + std::string(name_of(isa)) + (optional ? "" : " without optional passes"));
    }
  }
}

class OpSamples : public testing::TestWithParam<const OpDef*> {};

TEST_P(OpSamples, give_the_bits_of_the_oracle) {
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

INSTANTIATE_TEST_SUITE_P(Records, OpSamples, testing::ValuesIn(sampled_ops()),
                         [](const auto& test) { return std::string(test.param->name); });

// Network, loss, one adapted step through it, and the second-order gradient.
struct Network {
  std::vector<Shape> parameters;
  Shape input;
  std::function<Expr(std::span<const Expr> w, Expr x)> forward;
  bool classification = false;
};

Network mlp() {
  return {
      {{1, 40}, {40}, {40, 40}, {40}, {40, 1}, {1}}, {10, 1}, [](std::span<const Expr> w, Expr x) {
        const Expr h = relu(matmul(x, w[0]) + w[1]);
        return matmul(relu(matmul(h, w[2]) + w[3]), w[4]) + w[5];
      }};
}

Network tanh_mlp_of_odd_widths() {
  return {{{3, 17}, {17}, {17, 5}, {5}}, {7, 3}, [](std::span<const Expr> w, Expr x) {
            return matmul(tanh(matmul(x, w[0]) + w[1]), w[2]) + w[3];
          }};
}

Network conv_net(bool max_pool) {
  const int64_t channels = 9;
  return {{{3, 3, 1, channels},
           {channels},
           {channels},
           {channels},
           {3, 3, channels, channels},
           {channels},
           {channels},
           {channels},
           {channels, 5},
           {5}},
          {5, 11, 11, 1},
          [max_pool](std::span<const Expr> w, Expr x) {
            for (size_t block = 0; block < 2; ++block) {
              const auto* p = &w[4 * block];
              const int64_t stride = max_pool ? 1 : 2;
              const Shape& s = x.shape();
              x = conv2d(x, p[0], stride, same_pads(s[1], s[2], 3, 3, stride)) + p[1];
              x = relu(nn::batch_norm(x, p[2], p[3], 1e-3));
              if (max_pool) x = nn::max_pool_2x2(x);
            }
            return matmul(mean(x, {1, 2}), w[8]) + w[9];
          },
          true};
}

Program meta_gradient(const Network& network, DType dtype, int64_t steps) {
  Builder builder;
  std::vector<Expr> theta;
  for (const Shape& shape : network.parameters) {
    theta.push_back(
        builder.input("w" + std::to_string(theta.size()), {dtype, shape}, Binding::shared));
  }
  const auto rows = network.input[0];
  const auto set = [&](const std::string& name) {
    const Expr x = builder.input(name + "_x", {dtype, network.input}, Binding::per_lane);
    const TensorType target =
        network.classification ? TensorType{DType::i32, {rows}} : TensorType{dtype, {rows, 1}};
    return std::pair{x, builder.input(name + "_y", target, Binding::per_lane)};
  };
  const auto [xs, ys] = set("support");
  const auto [xq, yq] = set("query");
  const auto loss = [&](std::span<const Expr> w, Expr x, Expr y) {
    const Expr prediction = network.forward(w, x);
    return network.classification ? nn::softmax_cross_entropy(prediction, y)
                                  : nn::mean_squared_error(prediction, y);
  };
  std::vector<Expr> phi = theta;
  for (int64_t k = 0; k < steps; ++k) {
    const std::vector<Expr> gradient = grad(builder, loss(phi, xs, ys), phi);
    for (size_t i = 0; i < phi.size(); ++i) {
      phi[i] = phi[i] - 0.1 * or_zeros(gradient[i], phi[i]);
    }
  }
  const Expr outer = loss(phi, xq, yq);
  const std::vector<Expr> gradient = grad(builder, outer, theta);
  builder.output("loss", outer);
  for (size_t i = 0; i < theta.size(); ++i) {
    builder.output("g" + std::to_string(i), or_zeros(gradient[i], theta[i]));
  }
  return builder.finish();
}

struct MetaCase {
  std::string name;
  Network network;
  int64_t steps;
};

class MetaGradients : public testing::TestWithParam<MetaCase> {};

TEST_P(MetaGradients, give_the_bits_of_the_oracle) {
  const MetaCase& c = GetParam();
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Program program = meta_gradient(c.network, dtype, c.steps);
    check_against_oracle(program, draw_inputs(program, Draw{}, 11), c.name);
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, MetaGradients,
                         testing::Values(MetaCase{"mlp", mlp(), 1},
                                         MetaCase{"mlp_3_steps", mlp(), 3},
                                         MetaCase{"tanh_mlp", tanh_mlp_of_odd_widths(), 2},
                                         MetaCase{"conv_stride", conv_net(false), 1},
                                         MetaCase{"conv_max_pool", conv_net(true), 1},
                                         MetaCase{"conv_stride_2_steps", conv_net(false), 2}),
                         [](const auto& test) { return test.param.name; });

TEST(Executable, runs_what_depends_on_shared_inputs_once) {
  const auto executable = Executable::compile(meta_gradient(mlp(), DType::f32, 1));
  EXPECT_GT(executable->shared_arena_bytes(), 0u);
  EXPECT_GE(executable->lane_arena_bytes(), executable->peak_live_bytes());
}

TEST(Executable, gives_an_output_that_is_an_input_and_one_that_is_asked_for_twice) {
  Builder builder;
  const Expr x = builder.input("x", {DType::f32, {5}}, Binding::per_lane);
  const Expr y = exp(x);
  builder.output("x", x);
  builder.output("y", y);
  builder.output("y_again", reshape(y, {5, 1}));
  const Program program = builder.finish();
  check_against_oracle(program, draw_inputs(program, Draw{}, 3), "copies");
}

// The sum must not overwrite x, though it is read by that name once: the product reads it reshaped.
TEST(Executable, overwrites_no_operand_that_is_read_by_another_name) {
  Builder builder;
  const Expr x = exp(builder.input("x", {DType::f32, {40, 24}}, Binding::per_lane));
  const Expr w = builder.input("w", {DType::f32, {24, 24}}, Binding::shared);
  builder.output("y", sum(matmul(reshape(x, {24, 40}), w, true) + x, {1}));
  const Program program = builder.finish();
  check_against_oracle(program, draw_inputs(program, Draw{}, 5), "aliased operand");
}

TEST(Executable, gives_a_lane_the_same_bits_whoever_ran_before_it) {
  const Program program = meta_gradient(mlp(), DType::f32, 1);
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
  expect_equal_bits(interpret(program, inputs), outputs[0], "lane after its neighbour");
}

}  // namespace
}  // namespace outerloop::exec
