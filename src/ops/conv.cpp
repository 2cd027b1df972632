// Convolution and its two adjoints: a family that is closed under differentiation. All three are
// the trilinear form sum of dy[n,i,j,o] x[n,i*s+p-top,j*s+q-left,c] w[p,q,c,o] with one factor
// left out.
//
// The record conv2d_input takes the filter with its channels swapped, wt (p, q, O, C), because that
// is what kernels read; the function conv2d_input writes the swap, which is then shared by all its
// users and done once for meta-parameters.

#include <algorithm>

#include "ops/rules.h"

namespace outerloop {
namespace rules {
namespace {

// What the attributes of each of the three share.
struct Window {
  int64_t stride;
  Pads2d pads;

  static Window of(const Attributes& attributes) {
    const Axes& pads = attributes.integers("pads");
    OL_ASSERT(pads.size() == 4, "pads are top, bottom, left, right");
    return {attributes.integer("stride"), {pads[0], pads[1], pads[2], pads[3]}};
  }
  Attributes attributes() const {
    return {{"stride", stride}, {"pads", Axes{pads.top, pads.bottom, pads.left, pads.right}}};
  }
};

// Checks that an image, a filter and a result fit and gives the extents of the result.
struct Extents {
  int64_t height, width;
};
Extents result_extents(const Window& window, Extents image, Extents kernel) {
  const auto [stride, pads] = window;
  require(stride > 0 && std::min({pads.top, pads.bottom, pads.left, pads.right}) >= 0,
          "stride {} must be positive and pads {}, {}, {}, {} not negative", stride, pads.top,
          pads.bottom, pads.left, pads.right);
  const int64_t height = image.height + pads.top + pads.bottom - kernel.height;
  const int64_t width = image.width + pads.left + pads.right - kernel.width;
  require(height >= 0 && width >= 0 && kernel.height > 0 && kernel.width > 0,
          "a filter of {} x {} does not fit a padded image of {} x {}", kernel.height, kernel.width,
          height + kernel.height, width + kernel.width);
  return {height / stride + 1, width / stride + 1};
}

void require_pair(TypeSpan inputs, std::string_view first, std::string_view second) {
  require_floating(inputs[0], first);
  require_rank(inputs[0], 4, first);
  require_rank(inputs[1], 4, second);
  require(inputs[0].dtype == inputs[1].dtype, "{} and {} must have one element type: {} and {}",
          first, second, to_string(inputs[0]), to_string(inputs[1]));
}

Types conv2d_types(TypeSpan inputs, const Attributes& attributes) {
  require_pair(inputs, "x (N, H, W, C)", "w (p, q, C, O)");
  const Shape &x = inputs[0].shape, &w = inputs[1].shape;
  require(x[3] == w[2], "channels must agree: x {}, w {}", to_string(x), to_string(w));
  const auto [height, width] = result_extents(Window::of(attributes), {x[1], x[2]}, {w[0], w[1]});
  return {{inputs[0].dtype, {x[0], height, width, w[3]}}};
}

Types conv2d_input_types(TypeSpan inputs, const Attributes& attributes) {
  require_pair(inputs, "dy (N, H', W', O)", "wt (p, q, O, C)");
  const Shape &dy = inputs[0].shape, &w = inputs[1].shape;
  require(dy[3] == w[2], "channels must agree: dy {}, wt {}", to_string(dy), to_string(w));
  const Extents image{attributes.integer("height"), attributes.integer("width")};
  const auto [height, width] = result_extents(Window::of(attributes), image, {w[0], w[1]});
  require(height == dy[1] && width == dy[2], "images of {} x {} give {} x {}, not dy {}",
          image.height, image.width, height, width, to_string(dy));
  return {{inputs[0].dtype, {dy[0], image.height, image.width, w[3]}}};
}

Types conv2d_filter_types(TypeSpan inputs, const Attributes& attributes) {
  require_pair(inputs, "x (N, H, W, C)", "dy (N, H', W', O)");
  const Shape &x = inputs[0].shape, &dy = inputs[1].shape;
  require(x[0] == dy[0], "the numbers of images must agree: x {}, dy {}", to_string(x),
          to_string(dy));
  const Extents kernel{attributes.integer("kernel_height"), attributes.integer("kernel_width")};
  const auto [height, width] = result_extents(Window::of(attributes), {x[1], x[2]}, kernel);
  require(height == dy[1] && width == dy[2], "filters of {} x {} on {} give {} x {}, not dy {}",
          kernel.height, kernel.width, to_string(x), height, width, to_string(dy));
  return {{inputs[0].dtype, {kernel.height, kernel.width, x[3], dy[3]}}};
}

Expr swap_channels(Expr filter) {
  return transpose(filter, {0, 1, 3, 2});
}

std::vector<Expr> conv2d_vjp(const VjpArguments& a) {
  const auto [stride, pads] = Window::of(a.equation.attributes);
  const Expr x = a.inputs[0], w = a.inputs[1], dy = a.cotangent;
  std::vector<Expr> result(2);
  if (a.needed[0]) result[0] = conv2d_input(dy, w, stride, pads, x.shape()[1], x.shape()[2]);
  if (a.needed[1]) result[1] = conv2d_filter(x, dy, stride, pads, w.shape()[0], w.shape()[1]);
  return result;
}

std::vector<Expr> conv2d_input_vjp(const VjpArguments& a) {
  const auto [stride, pads] = Window::of(a.equation.attributes);
  const Expr dy = a.inputs[0], wt = a.inputs[1], x = a.cotangent;
  std::vector<Expr> result(2);
  if (a.needed[0]) result[0] = conv2d(x, swap_channels(wt), stride, pads);
  if (a.needed[1]) {
    result[1] = swap_channels(conv2d_filter(x, dy, stride, pads, wt.shape()[0], wt.shape()[1]));
  }
  return result;
}

std::vector<Expr> conv2d_filter_vjp(const VjpArguments& a) {
  const auto [stride, pads] = Window::of(a.equation.attributes);
  const Expr x = a.inputs[0], dy = a.inputs[1], w = a.cotangent;
  std::vector<Expr> result(2);
  if (a.needed[0]) result[0] = conv2d_input(dy, w, stride, pads, x.shape()[1], x.shape()[2]);
  if (a.needed[1]) result[1] = conv2d(x, w, stride, pads);
  return result;
}

// Dense: taps on padding are counted too. (N, H', W') of the result, (p, q, C, O) of the filter.
double dense_flops(const Shape& result, const Shape& filter) {
  return 2.0 * static_cast<double>(result[0] * result[1] * result[2]) *
         static_cast<double>(filter.elements());
}
double conv2d_flops(TypeSpan inputs, TypeSpan outputs, const Attributes&) {
  return dense_flops(outputs[0].shape, inputs[1].shape);
}
double conv2d_input_flops(TypeSpan inputs, TypeSpan, const Attributes&) {
  return dense_flops(inputs[0].shape, inputs[1].shape);
}
double conv2d_filter_flops(TypeSpan inputs, TypeSpan outputs, const Attributes&) {
  return dense_flops(inputs[1].shape, outputs[0].shape);
}

// The same geometries for all three: even and odd extents, strides, pads that differ by side,
// filters that are not square.
struct Geometry {
  Shape x, w, dy;
  Window window;
};
std::vector<Geometry> geometries() {
  std::vector<Geometry> result;
  const auto add = [&](Shape x, Shape w, Window window) {
    const Types types = conv2d_types(std::vector{f32(x), f32(w)}, window.attributes());
    result.push_back({x, w, types[0].shape, window});
  };
  add({2, 4, 5, 2}, {3, 3, 2, 3}, {1, {1, 1, 1, 1}});
  add({1, 6, 5, 2}, {3, 3, 2, 2}, {2, {0, 1, 1, 1}});
  add({1, 6, 5, 1}, {3, 2, 1, 2}, {2, {0, 0, 0, 0}});
  return result;
}

OpSample sample(const Shape& first, const Shape& second, const Attributes& attributes) {
  return {.inputs = {f32(first), f32(second)}, .attributes = attributes};
}
std::vector<OpSample> conv2d_samples() {
  std::vector<OpSample> samples;
  for (const auto& [x, w, dy, window] : geometries()) {
    samples.push_back(sample(x, w, window.attributes()));
  }
  return samples;
}
std::vector<OpSample> conv2d_input_samples() {
  std::vector<OpSample> samples;
  for (const auto& [x, w, dy, window] : geometries()) {
    Attributes attributes = window.attributes();
    attributes.set("height", x[1]);
    attributes.set("width", x[2]);
    samples.push_back(sample(dy, {w[0], w[1], w[3], w[2]}, attributes));
  }
  return samples;
}
std::vector<OpSample> conv2d_filter_samples() {
  std::vector<OpSample> samples;
  for (const auto& [x, w, dy, window] : geometries()) {
    Attributes attributes = window.attributes();
    attributes.set("kernel_height", w[0]);
    attributes.set("kernel_width", w[1]);
    samples.push_back(sample(x, dy, attributes));
  }
  return samples;
}

}  // namespace
}  // namespace rules

namespace ops {

constinit const OpDef conv2d{.name = "conv2d",
                             .arity = 2,
                             .group = OpGroup::contraction,
                             .infer = rules::conv2d_types,
                             .vjp = rules::conv2d_vjp,
                             .jvp = rules::bilinear_jvp,
                             .flops = rules::conv2d_flops,
                             .samples = rules::conv2d_samples};
constinit const OpDef conv2d_input{.name = "conv2d_input",
                                   .arity = 2,
                                   .group = OpGroup::contraction,
                                   .infer = rules::conv2d_input_types,
                                   .vjp = rules::conv2d_input_vjp,
                                   .jvp = rules::bilinear_jvp,
                                   .flops = rules::conv2d_input_flops,
                                   .samples = rules::conv2d_input_samples};
constinit const OpDef conv2d_filter{.name = "conv2d_filter",
                                    .arity = 2,
                                    .group = OpGroup::contraction,
                                    .infer = rules::conv2d_filter_types,
                                    .vjp = rules::conv2d_filter_vjp,
                                    .jvp = rules::bilinear_jvp,
                                    .flops = rules::conv2d_filter_flops,
                                    .samples = rules::conv2d_filter_samples};

}  // namespace ops

Pads2d same_pads(int64_t height, int64_t width, int64_t kernel_height, int64_t kernel_width,
                 int64_t stride) {
  rules::require(stride > 0, "stride {} must be positive", stride);
  const auto total = [stride](int64_t extent, int64_t kernel) {
    const int64_t outputs = (extent + stride - 1) / stride;
    return std::max<int64_t>((outputs - 1) * stride + kernel - extent, 0);
  };
  const int64_t rows = total(height, kernel_height), columns = total(width, kernel_width);
  return {rows / 2, rows - rows / 2, columns / 2, columns - columns / 2};
}

Expr conv2d(Expr x, Expr w, int64_t stride, const Pads2d& pads) {
  return x.builder().apply(ops::conv2d, {x, w}, rules::Window{stride, pads}.attributes());
}

Expr conv2d_input(Expr dy, Expr w, int64_t stride, const Pads2d& pads, int64_t height,
                  int64_t width) {
  Attributes attributes = rules::Window{stride, pads}.attributes();
  attributes.set("height", height);
  attributes.set("width", width);
  return dy.builder().apply(ops::conv2d_input, {dy, transpose(w, {0, 1, 3, 2})},
                            std::move(attributes));
}

Expr conv2d_filter(Expr x, Expr dy, int64_t stride, const Pads2d& pads, int64_t kernel_height,
                   int64_t kernel_width) {
  Attributes attributes = rules::Window{stride, pads}.attributes();
  attributes.set("kernel_height", kernel_height);
  attributes.set("kernel_width", kernel_width);
  return x.builder().apply(ops::conv2d_filter, {x, dy}, std::move(attributes));
}

}  // namespace outerloop
