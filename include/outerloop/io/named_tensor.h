#pragma once
// A flat tree of tensors: names are paths ("net/conv1/weight"), the order is the owner's.

#include <string>
#include <vector>

#include "outerloop/tensor/tensor.h"

namespace outerloop::io {

struct NamedTensor {
  std::string name;
  Tensor value;
};

using TensorTree = std::vector<NamedTensor>;

}  // namespace outerloop::io
