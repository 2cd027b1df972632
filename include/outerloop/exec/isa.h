#pragma once
// The vector instruction sets that kernels are generated for. Results have the same bits on all.

#include <cstdint>
#include <string_view>
#include <vector>

namespace outerloop::exec {

enum class Isa : uint8_t { scalar, avx2, avx512 };

std::string_view name_of(Isa isa);

// Whether the processor and the operating system run all that kernels of this set use: AVX2 with
// FMA; AVX-512 F, VL, DQ and BW.
bool machine_runs(Isa isa);
// Those that it runs, the narrowest first.
std::vector<Isa> runnable_isas();

// The widest this machine runs, or what OUTERLOOP_ISA=scalar|avx2|avx512 asks for.
// Throws BadInput when the machine lacks what is asked for.
Isa select_isa();

}  // namespace outerloop::exec
