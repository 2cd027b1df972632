#pragma once

#include "outerloop/ops/ops.h"

namespace outerloop::exec::cuda {

// A few kernels one by one, or one for a lane.
inline Program small_program() {
  Builder builder;
  const Expr x = builder.input("x", {DType::f32, {1000}}, Binding::per_lane);
  builder.output("y", exp(x));
  builder.output("total", sum(x));
  return builder.finish();
}

}  // namespace outerloop::exec::cuda
