#pragma once
// The vector instruction sets that kernels are generated for. Results have the same bits on all.

#include <cstdint>
#include <string_view>

namespace outerloop::exec {

enum class Isa : uint8_t { scalar, avx2, avx512 };

std::string_view name_of(Isa isa);

// The widest this machine runs, or what OUTERLOOP_ISA=scalar|avx2|avx512 asks for.
// Throws BadInput when the machine lacks what is asked for.
Isa select_isa();

}  // namespace outerloop::exec
