#include "outerloop/exec/fma_peak.h"

#include <algorithm>
#include <array>

#include "exec/cpu/jit.h"
#include "outerloop/base/stopwatch.h"

namespace outerloop::exec {
namespace {

using namespace Xbyak::util;

constexpr int kChains = 12;  // enough to hide the latency, few enough for 16 registers
constexpr int kPerChain = 8;
constexpr int kRounds = 10'000;

Kernel make_fma_loop(Isa isa, DType dtype) {
  Assembler assembler(isa, dtype);
  Xbyak::Label next;
  assembler.enter(0);
  for (int i = 0; i < kChains + 2; ++i) assembler.zero(assembler.vec(i));
  assembler.mov(ecx, kRounds);
  assembler.align(32);
  assembler.L(next);
  for (int i = 0; i < kChains * kPerChain; ++i) {
    assembler.fma231(assembler.vec(i % kChains), assembler.vec(kChains),
                     assembler.vec(kChains + 1));
  }
  assembler.dec(ecx);
  assembler.jnz(next);
  assembler.leave();
  return assembler.finish();
}

}  // namespace

double measure_fma_peak(Isa isa, DType dtype) {
  const Kernel loop = make_fma_loop(isa, dtype);
  const int lanes = (isa == Isa::avx512 ? 64 : 32) / static_cast<int>(size_of(dtype));
  std::array<double, 15> seconds{};
  loop(nullptr);  // reaches the clock rate of the vector units
  for (double& time : seconds) {
    const double start = thread_seconds();
    loop(nullptr);
    time = thread_seconds() - start;
  }
  std::ranges::nth_element(seconds, seconds.begin() + seconds.size() / 2);
  const double operations = 2.0 * lanes * kChains * kPerChain * kRounds;
  return operations / seconds[seconds.size() / 2] * 1e-9;
}

}  // namespace outerloop::exec
