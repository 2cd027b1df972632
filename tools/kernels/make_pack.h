#pragma once
// From kernels to a pack of their PTX.

#include <filesystem>

#include "kernels/recorder.h"

namespace outerloop::kernels {

struct PackReport {
  size_t kernels = 0;
  size_t compiled = 0;  // the others were in the file before
};

// Compiles, on all cores, what `file` does not have, and writes it anew with these kernels alone.
// Throws BadInput without NVRTC, and SystemFailure naming a kernel whose PTX is doubtful.
PackReport make_pack(const std::filesystem::path& file, const KernelsByName& kernels);

}  // namespace outerloop::kernels
