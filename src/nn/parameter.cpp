#include "outerloop/nn/parameter.h"

#include <cmath>

#include "outerloop/base/error.h"
#include "outerloop/base/hash.h"
#include "outerloop/base/philox.h"

namespace outerloop::nn {

namespace {

// The parameter's name picks the stream, so adding a parameter moves no other one's values.
StreamKey stream_of(const std::string& name, uint64_t seed) {
  const uint64_t hash = xxh3_64(std::as_bytes(std::span(name.data(), name.size())));
  return {.seed = seed,
          .purpose = Purpose::initial_value,
          .iteration = hash >> 32,
          .slot = static_cast<uint32_t>(hash)};
}

double draw(const InitialValue& initial, Philox& random) {
  const auto fan_in = static_cast<double>(initial.fan_in);
  const auto fan_out = static_cast<double>(initial.fan_out);
  const auto uniform_within = [&](double limit) {
    return limit * (2 * random.uniform_double() - 1);
  };
  switch (initial.rule) {
    case config::Init::he:
      return uniform_within(std::sqrt(6 / fan_in));
    case config::Init::xavier:
      return uniform_within(std::sqrt(6 / (fan_in + fan_out)));
    case config::Init::fan_in:
      return uniform_within(1 / std::sqrt(fan_in));
    case config::Init::truncated_normal:
      return initial.std * random.truncated_normal(2);
    case config::Init::normal:
      return initial.std * random.normal();
    case config::Init::zeros:
      break;
  }
  return initial.value;
}

}  // namespace

Tensor initial_value(const ParameterSpec& spec, uint64_t seed, DType dtype) {
  Philox random(stream_of(spec.name, seed));
  Tensor values(DType::f64, spec.shape);
  for (double& value : values.as<double>()) value = draw(spec.initial, random);
  return values.cast(dtype);
}

}  // namespace outerloop::nn
