#pragma once
// A small state whose every value follows from its iteration.

#include <random>
#include <string>

#include "outerloop/base/hash.h"
#include "outerloop/checkpoint/checkpoint.h"

namespace outerloop::checkpoint {

inline Tensor example_tensor(const Shape& shape, uint32_t seed) {
  Tensor tensor(DType::f32, shape);
  std::mt19937 random(seed);
  for (float& value : tensor.as<float>()) value = static_cast<float>(random()) * 1e-9F - 2;
  return tensor;
}

inline Checkpoint example(int64_t iteration, int64_t width = 16) {
  const auto seed = static_cast<uint32_t>(iteration);
  Checkpoint checkpoint;
  checkpoint.iteration = iteration;
  checkpoint.config = "seed: 7\nouter:\n  rate: 0.001\n";
  checkpoint.config_hash = sha256_hex(checkpoint.config);
  checkpoint.dataset_fingerprint = "none";
  // Not in the order of their names: the file must keep the owner's.
  checkpoint.parameters = {{"net/layer2/weight", example_tensor({width, width}, seed)},
                           {"net/layer2/bias", example_tensor({width}, seed + 1)},
                           {"net/layer1/weight", example_tensor({3, 3, 1, width}, seed + 2)},
                           {"inner/rate", Tensor::scalar(0.4F)}};
  checkpoint.optimizer = {{"m/net/layer2/weight", example_tensor({width, width}, seed + 3)},
                          {"step", Tensor::from<int32_t>({1}, {static_cast<int32_t>(iteration)})}};
  checkpoint.state = {{"window", Tensor::from<double>({2}, {0.1, -0.0})}};
  checkpoint.integers = {{"seed", -7}, {"best_iteration", iteration / 2}};
  checkpoint.reals = {{"best_accuracy", 0.1 * static_cast<double>(iteration)}};
  checkpoint.texts = {{"rng", "philox4x32-10"}, {"empty", ""}};
  return checkpoint;
}

}  // namespace outerloop::checkpoint
