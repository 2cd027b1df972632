#pragma once
// Tensors from files of other programs.

#include <filesystem>

#include "outerloop/io/named_tensor.h"

namespace outerloop::io {

// What a file holds, in the order of the file: safetensors (F32, F64, I32), numpy's .npz (stored,
// not compressed; '<f4', '<f8', '<i4', rows first), or the data sets of HDF5 by their paths. The
// content tells which, not the name. Throws BadInput when the file is not there, is none of these,
// or has what is not read; CorruptFile when it is damaged.
TensorTree read_tensors(const std::filesystem::path& file);

}  // namespace outerloop::io
