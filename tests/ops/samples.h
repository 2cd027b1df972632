#pragma once
// Tensors for the samples that each op record names.

#include <random>
#include <string>
#include <vector>

#include "outerloop/ir/op_def.h"
#include "outerloop/tensor/tensor.h"

namespace outerloop::testing {

// An op with one of its samples.
struct OpCase {
  const OpDef* op = nullptr;
  size_t sample = 0;
};
// Every sample of every op.
std::vector<OpCase> all_cases();
std::string name_of(const OpCase& c);  // "matmul_3"
OpSample sample_of(const OpCase& c);

// The sample with every floating type, also in attributes and in a body, turned into `dtype`.
OpSample in_type(OpSample sample, DType dtype);

// Inputs within the sample's ranges; exact in float32, whatever the type. With a margin, floating
// elements differ from each other and from 0.
std::vector<Tensor> draw_inputs(const OpSample& sample, std::mt19937& generator);
Tensor draw_uniform(const TensorType& type, double low, double high, std::mt19937& generator);

double dot(const Tensor& a, const Tensor& b);

}  // namespace outerloop::testing
