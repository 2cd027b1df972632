#pragma once
// Values for the inputs of a program or of an op sample, from a seed.

#include <cmath>
#include <random>
#include <vector>

#include "outerloop/ir/op_def.h"
#include "outerloop/tensor/tensor.h"

namespace outerloop::testing_support {

struct Draw {
  double low = -1;
  double high = 1;
  double margin = 0;        // floats keep this far from 0
  int64_t index_limit = 4;  // int32 in [0, index_limit)
};

inline Tensor draw_tensor(const TensorType& type, const Draw& draw, std::mt19937& generator) {
  Tensor tensor(type.dtype, type.shape);
  if (type.dtype == DType::i32) {
    std::uniform_int_distribution<int32_t> indices(
        0, static_cast<int32_t>(std::max<int64_t>(draw.index_limit, 1)) - 1);
    for (int32_t& value : tensor.as<int32_t>()) value = indices(generator);
    return tensor;
  }
  std::uniform_real_distribution<double> uniform(draw.low, draw.high);
  const auto fill = [&](auto values) {
    for (auto& value : values) {
      double drawn = uniform(generator);
      while (std::fabs(drawn) < draw.margin) drawn = uniform(generator);
      // Exact in float32, so that both element types start from the same values.
      value = static_cast<float>(drawn);
    }
  };
  type.dtype == DType::f32 ? fill(tensor.as<float>()) : fill(tensor.as<double>());
  return tensor;
}

inline std::vector<Tensor> draw_inputs(const OpSample& sample, uint32_t seed) {
  std::mt19937 generator(seed);
  std::vector<Tensor> inputs;
  for (size_t i = 0; i < sample.inputs.size(); ++i) {
    Draw draw{sample.low, sample.high, sample.margin, sample.index_limit};
    if (!sample.ranges.empty()) std::tie(draw.low, draw.high) = sample.ranges[i];
    inputs.push_back(draw_tensor(sample.inputs[i], draw, generator));
  }
  return inputs;
}

inline std::vector<Tensor> draw_inputs(const Program& program, const Draw& draw, uint32_t seed) {
  std::mt19937 generator(seed);
  std::vector<Tensor> inputs;
  for (const ProgramInput& input : program.inputs) {
    inputs.push_back(draw_tensor(program.type(input.value), draw, generator));
  }
  return inputs;
}

}  // namespace outerloop::testing_support
