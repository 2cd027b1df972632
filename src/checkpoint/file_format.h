#pragma once
// Names inside a checkpoint file that are not part of the state itself.

#include <string>

#include "outerloop/base/hash.h"
#include "outerloop/tensor/tensor.h"

namespace outerloop::checkpoint {

inline constexpr const char* kFormatName = "outerloop-checkpoint";

// Attributes of the root group. `complete` is written last.
inline constexpr const char* kFormatAttribute = "format";
inline constexpr const char* kVersionAttribute = "format_version";
inline constexpr const char* kCompleteAttribute = "complete";

// Attributes of a tensor: its place in its tree, and the xxh3-64 of its bytes in hexadecimal.
inline constexpr const char* kIndexAttribute = "index";
inline constexpr const char* kHashAttribute = "xxh3";
// Attribute of a tree's group.
inline constexpr const char* kCountAttribute = "tensors";

inline std::string hash_of(const Tensor& tensor) {
  return to_hex(xxh3_64({tensor.data(), tensor.bytes()}));
}

}  // namespace outerloop::checkpoint
