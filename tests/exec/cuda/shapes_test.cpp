// Products, convolutions and reductions of odd sizes on the device: tiles with edges,
// chains that end inside a chunk, taps on padding, results of every shape.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "exec/cuda/device_check.h"
#include "exec/cuda/source.h"
#include "outerloop/base/error.h"
#include "outerloop/ops/ops.h"
#include "support/sample_inputs.h"

namespace outerloop::exec::cuda {
namespace {

using testing_support::DeviceCheck;

// Two lanes. Then numbers whose products vanish: the sign of a zero shows every step of a chain,
// one too many as well.
void add(DeviceCheck& check, Builder& builder, Expr result, const std::string& what) {
  builder.output("y", result);
  const Program program = builder.finish();
  for (const double size : {1.0, 1e-25}) {
    std::vector<std::vector<Tensor>> lanes;
    for (const uint32_t seed : {3, 4}) {
      lanes.push_back(testing_support::draw_inputs(program, {.low = -size, .high = size}, seed));
    }
    check.add(program, std::move(lanes), what + fmt::format(" of {}", size));
  }
}

TEST(Products, OfOddShapes) {
  struct Case {
    int64_t batch, m, n, k;
    bool transpose_a, transpose_b;
    DType dtype;
  };
  constexpr Case kCases[] = {
      {1, 10, 40, 1, false, false, DType::f32},   {1, 1, 1, 1, false, false, DType::f32},
      {1, 65, 67, 33, false, false, DType::f32},  {1, 130, 5, 100, true, false, DType::f32},
      {3, 7, 20, 17, false, true, DType::f32},    {2, 33, 31, 16, true, true, DType::f32},
      {1, 200, 64, 15, false, false, DType::f64}, {1, 5, 129, 47, true, false, DType::f64},
      {2, 4, 6, 0, false, false, DType::f32},
  };
  DeviceCheck check;
  for (const Case& c : kCases) {
    Builder builder;
    const auto shape = [&](int64_t rows, int64_t columns, bool swapped) {
      if (swapped) std::swap(rows, columns);
      return c.batch == 1 ? Shape{rows, columns} : Shape{c.batch, rows, columns};
    };
    const Expr a = builder.input("a", {c.dtype, shape(c.m, c.k, c.transpose_a)}, Binding::per_lane);
    const Expr b = builder.input("b", {c.dtype, shape(c.k, c.n, c.transpose_b)}, Binding::shared);
    const Expr bias = builder.input("bias", {c.dtype, {c.n}}, Binding::per_lane);
    const Expr product = matmul(a, b, c.transpose_a, c.transpose_b);
    builder.output("relu", relu(product + bias));
    add(check, builder, product, fmt::format("{} x {} x {} x {}", c.batch, c.m, c.n, c.k));
  }
  check.run();
}

TEST(Convolutions, OfOddShapes) {
  struct Case {
    int64_t images, height, width, in, out, kernel_height, kernel_width, stride;
    Pads2d pads;
    DType dtype;
  };
  constexpr Case kCases[] = {
      {2, 7, 5, 3, 5, 3, 3, 1, {1, 1, 1, 1}, DType::f32},
      {1, 9, 11, 16, 8, 3, 3, 2, {1, 1, 1, 1}, DType::f32},
      {3, 6, 6, 32, 17, 3, 3, 1, {1, 1, 1, 1}, DType::f32},
      {1, 8, 7, 1, 4, 2, 3, 3, {0, 1, 2, 0}, DType::f32},
      {2, 5, 5, 4, 3, 1, 1, 1, {}, DType::f32},
      {1, 4, 4, 2, 2, 5, 5, 2, {2, 2, 2, 2}, DType::f64},
      {1, 12, 12, 2, 3, 7, 7, 2, {3, 3, 3, 3}, DType::f32},  // more taps than 32 bits
  };
  DeviceCheck check;
  for (const Case& c : kCases) {
    const auto extent = [&](int64_t size, int64_t pads, int64_t taps) {
      return (size + pads - taps) / c.stride + 1;
    };
    const TensorType x{c.dtype, {c.images, c.height, c.width, c.in}};
    const TensorType w{c.dtype, {c.kernel_height, c.kernel_width, c.in, c.out}};
    const TensorType dy{c.dtype,
                        {c.images, extent(c.height, c.pads.top + c.pads.bottom, c.kernel_height),
                         extent(c.width, c.pads.left + c.pads.right, c.kernel_width), c.out}};
    const auto name = [&](std::string_view direction) {
      return fmt::format("{} of {} by {}", direction, to_string(x), to_string(w));
    };
    Builder forward;
    add(check, forward,
        conv2d(forward.input("x", x, Binding::per_lane), forward.input("w", w, Binding::shared),
               c.stride, c.pads),
        name("forward"));
    Builder input;
    add(check, input,
        conv2d_input(input.input("dy", dy, Binding::per_lane),
                     input.input("w", w, Binding::per_lane), c.stride, c.pads, c.height, c.width),
        name("input"));
    Builder filter;
    add(check, filter,
        conv2d_filter(filter.input("x", x, Binding::per_lane),
                      filter.input("dy", dy, Binding::shared), c.stride, c.pads, c.kernel_height,
                      c.kernel_width),
        name("filter"));
  }
  check.run();
}

// 300 images of 224 x 224 in the second block of a conv4: its windows have more than 2^31 elements,
// its tensors have not.
TEST(Convolutions, AreLimitedByTheirTensorsAlone) {
  ConvSpec spec{.dtype = DType::f32};
  ConvGeometry& g = spec.geometry;
  g.images = 300, g.height = g.width = 112, g.out_height = g.out_width = 56;
  g.in_channels = g.out_channels = 64, g.kernel_height = g.kernel_width = 3, g.stride = 2;
  for (const auto direction :
       {ConvDirection::forward, ConvDirection::input, ConvDirection::filter}) {
    spec.direction = direction;
    EXPECT_FALSE(conv_kernel(spec, {}).run.empty());
  }
  g.images = 3000;
  EXPECT_THROW(conv_kernel(spec, {}), BadInput);
}

TEST(Reductions, OfOddShapes) {
  struct Case {
    Shape shape;
    Axes axes;
    DType dtype;
  };
  const Case kCases[] = {
      {{1}, {0}, DType::f32},
      {{5, 33}, {1}, DType::f32},
      {{3, 32}, {1}, DType::f32},
      {{2, 1000}, {1}, DType::f32},
      {{17, 70}, {0}, DType::f32},
      {{16, 3}, {0}, DType::f32},
      {{4, 50, 9}, {1}, DType::f32},
      {{2, 3, 5, 7}, {0, 2}, DType::f32},
      {{2, 9, 5, 40}, {1, 3}, DType::f64},
      {{70, 65}, {0, 1}, DType::f32},
      {{300, 2}, {0}, DType::f64},
      {{3, 0}, {1}, DType::f32},
      {{0, 3}, {1}, DType::f32},
      {{2, 40, 6}, {0, 1}, DType::f32},
  };
  DeviceCheck check;
  for (const Case& c : kCases) {
    Builder builder;
    const Expr x = builder.input("x", {c.dtype, c.shape}, Binding::per_lane);
    const Expr scaled = x * builder.input("s", {c.dtype, c.shape}, Binding::shared);
    builder.output("maximum", reduce_max(scaled - 0.5, c.axes));
    builder.output("scaled", scaled);
    add(check, builder, sum(scaled, c.axes), "reduction of " + to_string(c.shape));
  }
  check.run();
}

// What is not a number, and zeros of both signs, take the paths that the definitions say.
TEST(SpecialValues, GiveTheBitsOfTheOracle) {
  const float inf = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> values{0.0F,    -0.0F, 1.0F,   -1.0F,  inf,   -inf,   nan,    1e-40F,
                                  -1e-40F, 3e38F, -3e38F, 1e-38F, 88.0F, -88.0F, 104.0F, 0.5F};
  const auto count = static_cast<int64_t>(values.size());
  Builder builder;
  const Expr x = builder.input("x", {DType::f32, {count, count}}, Binding::per_lane);
  const Expr y = transpose(x);
  for (const auto& [name, result] : {std::pair<std::string, Expr>{"exp", exp(x)},
                                     {"log", log(x)},
                                     {"tanh", tanh(x)},
                                     {"sqrt", sqrt(x)},
                                     {"logistic", logistic(x)},
                                     {"abs", abs(x)},
                                     {"neg", -x},
                                     {"pow", pow(x, 2.5)},
                                     {"max", maximum(x, y)},
                                     {"min", minimum(x, y)},
                                     {"add", x + y},
                                     {"mul", x * y},
                                     {"div", x / y},
                                     {"sign", sign(x)},
                                     {"relu", relu(x)},
                                     {"less", less(x, y)},
                                     {"product", matmul(x, y)},
                                     {"largest", reduce_max(x, {1})},
                                     {"largest_row", reduce_max(x, {0})},
                                     {"sum", sum(x, {0})}}) {
    builder.output(name, result);
  }
  const Program program = builder.finish();
  Tensor rows(DType::f32, {count, count});
  for (int64_t i = 0; i < count * count; ++i) {
    rows.as<float>()[static_cast<size_t>(i)] = values[static_cast<size_t>((i + i / count) % count)];
  }
  Tensor mixed = rows.clone();
  for (float& value : mixed.as<float>()) value = std::isnan(value) ? -0.0F : value * 0.75F;
  DeviceCheck check;
  check.add(program, {{rows}, {mixed}}, "special values");
  check.run();
}

}  // namespace
}  // namespace outerloop::exec::cuda
