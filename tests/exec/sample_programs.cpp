#include "exec/sample_programs.h"

#include <functional>

#include "outerloop/autodiff/autodiff.h"
#include "outerloop/nn/functions.h"
#include "outerloop/ops/ops.h"

namespace outerloop::testing_support {
namespace {

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

}  // namespace

Program mlp_gradient(DType dtype, int64_t steps) {
  return meta_gradient(mlp(), dtype, steps);
}
Program tanh_mlp_gradient(DType dtype, int64_t steps) {
  return meta_gradient(tanh_mlp_of_odd_widths(), dtype, steps);
}
Program conv_stride_gradient(DType dtype, int64_t steps) {
  return meta_gradient(conv_net(false), dtype, steps);
}
Program conv_pool_gradient(DType dtype, int64_t steps) {
  return meta_gradient(conv_net(true), dtype, steps);
}

std::vector<SampleProgram> sample_programs() {
  return {{"mlp", 1, mlp_gradient},
          {"mlp_3_steps", 3, mlp_gradient},
          {"tanh_mlp", 2, tanh_mlp_gradient},
          {"conv_stride", 1, conv_stride_gradient},
          {"conv_max_pool", 1, conv_pool_gradient},
          {"conv_stride_2_steps", 2, conv_stride_gradient}};
}

}  // namespace outerloop::testing_support
