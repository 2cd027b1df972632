#pragma once
// Readers of single formats, from their bytes. `where` names the file in messages.

#include <string>
#include <string_view>

#include "outerloop/io/named_tensor.h"

namespace outerloop::io {

TensorTree parse_safetensors(std::string_view content, const std::string& where);
TensorTree parse_npz(std::string_view content, const std::string& where);

// A tensor of these little-endian bytes. Throws CorruptFile unless they are as many as it takes.
Tensor tensor_of_bytes(DType dtype, const std::vector<int64_t>& extents, std::string_view bytes,
                       const std::string& where);

}  // namespace outerloop::io
