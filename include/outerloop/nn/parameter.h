#pragma once
// Trainable arrays: their names, shapes and how they start.
//
// Names are paths: "net/conv1/weight", "net/norm1/shift", "net/head/bias", "inner/rate".

#include <cstdint>
#include <string>
#include <vector>

#include "outerloop/config/config.h"
#include "outerloop/tensor/tensor.h"

namespace outerloop::nn {

// How one parameter is drawn.
//   he                uniform in ±sqrt(6 / fan_in) (He et al. 2015)
//   xavier            uniform in ±sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010)
//   fan_in            uniform in ±1 / sqrt(fan_in)
//   truncated_normal  normal of standard deviation `std`, cut at two of them
//   normal            normal of standard deviation `std`
//   zeros             every element `value`
struct InitialValue {
  config::Init rule = config::Init::zeros;
  double std = 0;
  double value = 0;
  int64_t fan_in = 1;
  int64_t fan_out = 1;
};

enum class ParameterRole : uint8_t { weight, bias, norm, setting };

struct ParameterSpec {
  std::string name;
  Shape shape;
  InitialValue initial;
  ParameterRole role = ParameterRole::weight;  // norm: scale or shift; setting: not of the network
  bool head = false;                           // of the last layer
};
using ParameterSpecs = std::vector<ParameterSpec>;

// A pure function of (seed, name, shape, rule): computed in double, rounded once to `dtype`.
Tensor initial_value(const ParameterSpec& spec, uint64_t seed, DType dtype = DType::f32);

}  // namespace outerloop::nn
