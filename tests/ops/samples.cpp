#include "ops/samples.h"

#include <fmt/format.h>

#include <algorithm>

#include "outerloop/ops/records.h"

namespace outerloop::testing {
namespace {

using Values = std::vector<double>;

Tensor tensor_of(const TensorType& type, const Values& values) {
  Values rounded;
  for (double value : values) rounded.push_back(static_cast<float>(value));
  return Tensor::from<double>(type.shape, rounded).cast(type.dtype);
}

double uniform(double low, double high, std::mt19937& generator) {
  return low + (high - low) * (generator() * 0x1p-32);
}

// As many different values of [low, high], none within the margin of 0, shuffled.
Values separated(int64_t count, double low, double high, double margin, std::mt19937& generator) {
  Values values;
  const double below = std::max(-margin - low, 0.0), above = std::max(high - margin, 0.0);
  for (int64_t i = 0; i < count; ++i) {
    const double place =
        (below + above) * (static_cast<double>(i) + 0.5) / static_cast<double>(count);
    values.push_back(place < below ? low + place : margin + (place - below));
  }
  std::ranges::shuffle(values, generator);
  return values;
}

void convert(TensorType& type, DType dtype) {
  if (is_floating(type.dtype)) type.dtype = dtype;
}

void convert(Attributes& attributes, DType dtype) {
  const AttributeValue* stated = attributes.find("dtype");
  if (stated != nullptr && is_floating(static_cast<DType>(std::get<int64_t>(*stated)))) {
    attributes.set("dtype", static_cast<int64_t>(dtype));
  }
  if (attributes.find("body") == nullptr) return;
  Program body = *attributes.program("body");
  for (TensorType& type : body.values) convert(type, dtype);
  for (Equation& equation : body.equations) convert(equation.attributes, dtype);
  attributes.set("body", std::make_shared<const Program>(std::move(body)));
}

void add_to_diagonal(Tensor& matrix, double value) {
  const int64_t n = matrix.shape()[0];
  const Tensor doubles = matrix.cast(DType::f64);
  Values values = doubles.to_doubles();
  for (int64_t i = 0; i < n; ++i) values[static_cast<size_t>(i * (n + 1))] += value;
  matrix = tensor_of({matrix.dtype(), matrix.shape()}, values);
}

}  // namespace

std::vector<OpCase> all_cases() {
  std::vector<OpCase> cases;
  for (const OpDef* op : all_ops()) {
    const size_t count = op->samples == nullptr ? 0 : op->samples().size();
    for (size_t i = 0; i < count; ++i) cases.push_back({op, i});
  }
  return cases;
}

std::string name_of(const OpCase& c) {
  return fmt::format("{}_{}", c.op->name, c.sample);
}

OpSample sample_of(const OpCase& c) {
  return c.op->samples()[c.sample];
}

OpSample in_type(OpSample sample, DType dtype) {
  for (TensorType& type : sample.inputs) convert(type, dtype);
  convert(sample.attributes, dtype);
  return sample;
}

Tensor draw_uniform(const TensorType& type, double low, double high, std::mt19937& generator) {
  Values values(static_cast<size_t>(type.shape.elements()));
  for (double& value : values) value = uniform(low, high, generator);
  return tensor_of(type, values);
}

std::vector<Tensor> draw_inputs(const OpSample& sample, std::mt19937& generator) {
  int64_t floating = 0;
  for (const TensorType& type : sample.inputs) {
    if (is_floating(type.dtype)) floating += type.shape.elements();
  }
  const Values pool = sample.margin > 0
                          ? separated(floating, sample.low, sample.high, sample.margin, generator)
                          : Values{};
  auto next = pool.begin();
  std::vector<Tensor> inputs;
  for (size_t i = 0; i < sample.inputs.size(); ++i) {
    const TensorType& type = sample.inputs[i];
    if (!is_floating(type.dtype)) {
      inputs.push_back(draw_uniform(type, 0, static_cast<double>(sample.index_limit), generator));
      continue;
    }
    if (sample.margin > 0) {
      const auto end = next + type.shape.elements();
      inputs.push_back(tensor_of(type, Values(next, end)));
      next = end;
      continue;
    }
    const auto [low, high] =
        sample.ranges.empty() ? std::pair{sample.low, sample.high} : sample.ranges[i];
    inputs.push_back(draw_uniform(type, low, high, generator));
  }
  if (sample.diagonal != 0) add_to_diagonal(inputs[0], sample.diagonal);
  return inputs;
}

double dot(const Tensor& a, const Tensor& b) {
  const Values x = a.to_doubles(), y = b.to_doubles();
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) sum += x[i] * y[i];
  return sum;
}

}  // namespace outerloop::testing
