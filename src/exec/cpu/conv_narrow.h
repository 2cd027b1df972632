#pragma once
// Products with few columns (a first layer's input gradient, a matrix times a vector): the lanes of
// a vector are rows, which come in by transposing square blocks of the first operand in registers.

#include "exec/cpu/conv_plan.h"

namespace outerloop::exec {

// Whether these kernels are faster than those whose lanes are columns. The plan must not be of a
// filter gradient.
bool is_narrow(const ConvPlan& plan, DType dtype, Isa isa);

Kernel make_narrow(const ConvPlan& plan, DType dtype, const Epilogue& epilogue, Isa isa);

}  // namespace outerloop::exec
