#pragma once
// Whether PTX leaves a driver no choice of bits, and has nothing that an older one would not know.

#include <string>
#include <string_view>

namespace outerloop::kernels {

// The first instruction that is not known to be so, empty where there is none: floating point
// without a rounding mode, which may be fused; approximations; subnormals flushed to zero;
// functions that are not in it; and what is not on the list of instructions that PTX has had since
// ISA 7.7 at the latest.
std::string doubtful_instruction(std::string_view ptx);

}  // namespace outerloop::kernels
