#pragma once
// The floating point ceiling of the core that the caller runs on, probed rather than looked up.

#include "outerloop/exec/isa.h"
#include "outerloop/tensor/dtype.h"

namespace outerloop::exec {

// GF/s (an FMA is two operations) of a loop of independent FMAs on registers, in about 20 ms of
// this thread's processor time. Not for Isa::scalar.
double measure_fma_peak(Isa isa, DType dtype);

}  // namespace outerloop::exec
