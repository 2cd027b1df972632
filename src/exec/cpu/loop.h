#pragma once
// The two ways in which a loop becomes a kernel.

#include "exec/cpu/kernel.h"
#include "exec/plan/loop_nest.h"

namespace outerloop::exec {

// The plain loop, one element after the other.
Kernel make_oracle_loop(const LoopSpec& spec);
// Generated code; no kernel where addresses would not fit their instructions (strides of
// gigabytes).
Kernel make_generated_loop(const LoopNest& nest, Isa isa);

}  // namespace outerloop::exec
