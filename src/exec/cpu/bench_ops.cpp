#include "outerloop/exec/bench_ops.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <random>

#include "outerloop/base/error.h"
#include "outerloop/ops/ops.h"
#include "outerloop/ops/records.h"

namespace outerloop::exec {
namespace {

using Clock = std::chrono::steady_clock;

TensorType f32(const Shape& shape) {
  return {DType::f32, shape};
}
TensorType i32(const Shape& shape) {
  return {DType::i32, shape};
}
constexpr auto kF32 = static_cast<int64_t>(DType::f32);

// What conv4 keeps of 5 images after its first block, and the MLP of 10 points.
const Shape kFeatures{5, 14, 14, 64};
const Shape kHidden{10, 40};

// ---- Cases ------------------------------------------------------------------------------------

struct Listed {
  const OpDef* op;
  std::vector<OpSample> samples;
};

OpSample matmul_sample(const Shape& a, const Shape& b, int64_t transpose_a = 0,
                       int64_t transpose_b = 0) {
  return {.inputs = {f32(a), f32(b)},
          .attributes = {{"transpose_a", transpose_a}, {"transpose_b", transpose_b}}};
}

// The three products of a convolution of 3 x 3 with 64 filters and SAME pads.
struct Convolution {
  int64_t images, side, channels, stride;

  OpSample sample(const OpDef& op) const {
    const Pads2d pads = same_pads(side, side, 3, 3, stride);
    const int64_t out = (side + stride - 1) / stride;
    Attributes attributes{{"stride", stride},
                          {"pads", Axes{pads.top, pads.bottom, pads.left, pads.right}}};
    const TensorType x = f32({images, side, side, channels}), dy = f32({images, out, out, 64});
    if (&op == &ops::conv2d)
      return {.inputs = {x, f32({3, 3, channels, 64})}, .attributes = attributes};
    if (&op == &ops::conv2d_input) {
      attributes.set("height", side);
      attributes.set("width", side);
      return {.inputs = {dy, f32({3, 3, 64, channels})}, .attributes = attributes};
    }
    attributes.set("kernel_height", int64_t{3});
    attributes.set("kernel_width", int64_t{3});
    return {.inputs = {x, dy}, .attributes = attributes};
  }
};

Listed convolutions(const OpDef& op) {
  Listed listed{&op, {}};
  for (const Convolution& c :
       {Convolution{5, 28, 1, 2}, Convolution{5, 14, 64, 2}, Convolution{5, 7, 64, 2},
        Convolution{5, 4, 64, 2}, Convolution{100, 14, 64, 2}, Convolution{5, 14, 64, 1}}) {
    listed.samples.push_back(c.sample(op));
  }
  return listed;
}

Listed sums(const OpDef& op) {
  const auto over = [](const Shape& shape, Axes axes) {
    return OpSample{.inputs = {f32(shape)}, .attributes = {{"axes", std::move(axes)}}};
  };
  return {&op, {over(kHidden, {0}), over({20, 20}, {1}), over(kFeatures, {0, 1, 2})}};
}

std::vector<Listed> sums_of_products() {
  return {{&ops::matmul,
           {matmul_sample({10, 1}, {1, 40}), matmul_sample(kHidden, {40, 40}),
            matmul_sample(kHidden, kHidden, 1), matmul_sample(kHidden, {40, 40}, 0, 1),
            matmul_sample({5, 64}, {64, 5}), matmul_sample({64, 64}, {64, 64}),
            matmul_sample({100, 256}, {256, 256})}},
          convolutions(ops::conv2d),
          convolutions(ops::conv2d_input),
          convolutions(ops::conv2d_filter),
          sums(ops::sum),
          sums(ops::reduce_max)};
}

std::vector<Listed> movements() {
  return {
      {&ops::broadcast,
       {{.inputs = {f32({40})}, .attributes = {{"shape", Axes{10, 40}}, {"axes", Axes{1}}}},
        {.inputs = {f32({64})},
         .attributes = {{"shape", Axes{5, 14, 14, 64}}, {"axes", Axes{3}}}}}},
      {&ops::reshape, {{.inputs = {f32({5, 2, 2, 64})}, .attributes = {{"shape", Axes{5, 256}}}}}},
      {&ops::transpose,
       {{.inputs = {f32({40, 40})}, .attributes = {{"permutation", Axes{1, 0}}}},
        {.inputs = {f32({3, 3, 64, 64})}, .attributes = {{"permutation", Axes{0, 1, 3, 2}}}}}},
      {&ops::slice,
       {{.inputs = {f32({10, 14, 14, 64})},
         .attributes = {{"starts", Axes{5, 0, 0, 0}},
                        {"limits", Axes{10, 14, 14, 64}},
                        {"strides", Axes{1, 1, 1, 1}}}}}},
      {&ops::pad,
       {{.inputs = {f32({5, 7, 7, 64})},
         .attributes = {{"low", Axes{0, 1, 1, 0}},
                        {"high", Axes{0, 1, 1, 0}},
                        {"interior", Axes{0, 0, 0, 0}}}}}},
      {&ops::concat,
       {{.inputs = {f32(kFeatures), f32(kFeatures)}, .attributes = {{"axis", int64_t{0}}}}}}};
}

std::vector<Listed> indexings() {
  const int64_t elements = kFeatures.elements();
  return {{&ops::gather,
           {{.inputs = {f32({50, 784}), i32({10})},
             .attributes = {{"axis", int64_t{0}}},
             .index_limit = 50}}},
          {&ops::scatter_add,
           {{.inputs = {f32({10, 784}), i32({10})},
             .attributes = {{"axis", int64_t{0}}, {"extent", int64_t{50}}},
             .index_limit = 50}}},
          {&ops::take_per_row, {{.inputs = {f32({20, 20}), i32({20})}, .index_limit = 20}}},
          {&ops::put_per_row,
           {{.inputs = {f32({20}), i32({20})},
             .attributes = {{"columns", int64_t{20}}},
             .index_limit = 20}}},
          {&ops::take, {{.inputs = {f32(kFeatures), i32({5, 7, 7, 64})}, .index_limit = elements}}},
          {&ops::scatter,
           {{.inputs = {f32({5, 7, 7, 64}), i32({5, 7, 7, 64})},
             .attributes = {{"shape", Axes{5, 14, 14, 64}}},
             .index_limit = elements}}},
          {&ops::max_pool_index,
           {{.inputs = {f32(kFeatures)},
             .attributes = {{"window", int64_t{2}}, {"stride", int64_t{2}}}}}},
          {&ops::one_hot,
           {{.inputs = {i32({20})},
             .attributes = {{"classes", int64_t{20}}, {"dtype", kF32}},
             .index_limit = 20}}}};
}

std::vector<Listed> others() {
  const OpSample positive{.inputs = {f32({25, 25})}, .diagonal = 50};
  return {
      {&ops::cholesky, {positive}},
      {&ops::triangular_solve,
       {{.inputs = {f32({25, 25}), f32({25, 5})},
         .attributes = {{"lower", int64_t{1}}, {"transposed", int64_t{0}}},
         .diagonal = 50}}},
      {&ops::triangle,
       {{.inputs = {f32({25, 25})}, .attributes = {{"lower", int64_t{1}}, {"diagonal", 1.0}}}}},
      {&ops::random_uniform,
       {{.inputs = {i32({4})},
         .attributes = {{"stream", int64_t{0}}, {"dtype", kF32}, {"shape", Axes{5, 14, 14, 64}}},
         .index_limit = 1000}}}};
}

std::vector<Listed> listed_cases() {
  std::vector<Listed> all;
  for (const auto& family : {sums_of_products(), movements(), indexings(), others()}) {
    all.insert(all.end(), family.begin(), family.end());
  }
  return all;
}

// Values that every function of one element is defined for.
OpSample elementwise_sample(const OpDef& op, const Shape& shape) {
  return {.inputs = std::vector<TensorType>(static_cast<size_t>(op.arity), f32(shape)),
          .attributes = op.samples().front().attributes,
          .low = 0.3,
          .high = 2};
}

// ---- Measuring --------------------------------------------------------------------------------

Program single_op(const OpCase& op_case) {
  Builder builder;
  std::vector<Expr> inputs;
  for (const TensorType& type : op_case.sample.inputs) {
    inputs.push_back(builder.input(fmt::format("x{}", inputs.size()), type, Binding::per_lane));
  }
  builder.output("y", builder.apply(*op_case.op, inputs, op_case.sample.attributes));
  return builder.finish();
}

std::vector<Tensor> draw_inputs(const OpSample& sample) {
  std::mt19937 generator(1);
  std::uniform_real_distribution<float> real(static_cast<float>(sample.low),
                                             static_cast<float>(sample.high));
  std::uniform_int_distribution<int32_t> index(
      0, static_cast<int32_t>(std::max<int64_t>(sample.index_limit, 1) - 1));
  std::vector<Tensor> inputs;
  for (const TensorType& type : sample.inputs) {
    if (type.dtype == DType::i32) {
      Tensor& tensor = inputs.emplace_back(type.dtype, type.shape);
      std::ranges::generate(tensor.as<int32_t>(), [&] { return index(generator); });
    } else {
      Tensor drawn(DType::f32, type.shape);
      std::ranges::generate(drawn.as<float>(), [&] { return real(generator); });
      inputs.push_back(type.dtype == DType::f32 ? drawn : drawn.cast(type.dtype));
    }
  }
  if (sample.diagonal != 0) {
    const int64_t n = sample.inputs[0].shape[0];
    const std::span<float> matrix = inputs[0].as<float>();
    for (int64_t i = 0; i < n; ++i) {
      matrix[static_cast<size_t>(i * n + i)] += static_cast<float>(sample.diagonal);
    }
  }
  return inputs;
}

double median_call(Instance& instance, double seconds) {
  const auto timed = [&](int64_t calls) {
    const Clock::time_point start = Clock::now();
    for (int64_t i = 0; i < calls; ++i) instance.run();
    return std::chrono::duration<double>(Clock::now() - start).count() / static_cast<double>(calls);
  };
  constexpr int kBatches = 9;
  timed(1);
  const double guess = std::max(timed(20), 1e-9);
  const auto calls = std::max<int64_t>(1, static_cast<int64_t>(seconds / kBatches / guess));
  std::array<double, kBatches> times{};
  for (double& time : times) time = timed(calls);
  std::ranges::nth_element(times, times.begin() + kBatches / 2);
  return times[kBatches / 2];
}

std::string describe(const Attributes& attributes) {
  std::string text;
  for (const auto& [name, value] : attributes.items()) {
    if (const auto* integer = std::get_if<int64_t>(&value)) {
      text += fmt::format(", {}={}", name, *integer);
    } else if (const auto* list = std::get_if<Axes>(&value)) {
      text += fmt::format(", {}=[{}]", name, fmt::join(*list, " "));
    } else if (const auto* real = std::get_if<double>(&value)) {
      text += fmt::format(", {}={}", name, *real);
    }
  }
  return text;
}

}  // namespace

std::vector<OpCase> op_cases() {
  const std::vector<Listed> listed = listed_cases();
  std::vector<OpCase> cases;
  for (const OpDef* op : all_ops()) {
    if (op->group == OpGroup::elementwise) {
      cases.push_back({op, elementwise_sample(*op, kHidden)});
      cases.push_back({op, elementwise_sample(*op, kFeatures)});
    }
    const auto place = std::ranges::find(listed, op, &Listed::op);
    if (place == listed.end()) continue;
    for (const OpSample& sample : place->samples) cases.push_back({op, sample});
  }
  return cases;
}

OpSpeed measure_op(const OpCase& op_case, const CompileOptions& options, double seconds) {
  const Program program = single_op(op_case);
  const auto executable = Executable::compile(program, options);
  SharedState shared(executable);
  shared.run();
  const Workspace workspace(executable->lane_arena_bytes());
  Instance instance(executable, shared, workspace);
  const std::vector<Tensor> inputs = draw_inputs(op_case.sample);
  OpSpeed speed{.op = std::string(op_case.op->name),
                .flops = flops_of(program, program.equations.front())};
  for (size_t i = 0; i < inputs.size(); ++i) {
    instance.bind_input(static_cast<int>(i), inputs[i].data());
    speed.bytes += static_cast<double>(inputs[i].bytes());
    speed.shapes += (i == 0 ? "" : " x ") + to_string(op_case.sample.inputs[i]);
  }
  const TensorType& type = program.type(program.outputs.front().value);
  Tensor output(type.dtype, type.shape);
  instance.bind_output(0, output.data());
  speed.bytes += static_cast<double>(output.bytes());
  speed.shapes += describe(op_case.sample.attributes) + " -> " + to_string(type);
  speed.seconds = median_call(instance, seconds);
  return speed;
}

}  // namespace outerloop::exec
