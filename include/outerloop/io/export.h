#pragma once
// Tensors as files that other programs read. Same tensors, same bytes. Written atomically.

#include <filesystem>
#include <map>
#include <string>

#include "outerloop/io/named_tensor.h"

namespace outerloop::io {

// The safetensors format (an 8-byte length, a JSON header, the data). `metadata` goes into the
// header's "__metadata__". Throws BadInput on a name that occurs twice.
void write_safetensors(const std::filesystem::path& file, const TensorTree& tensors,
                       const std::map<std::string, std::string>& metadata = {});

// numpy's .npz: an uncompressed zip of .npy files; numpy.load finds each tensor under its name.
// Throws BadInput on a name that occurs twice, or past the 4 GiB of a plain zip.
void write_npz(const std::filesystem::path& file, const TensorTree& tensors);

}  // namespace outerloop::io
