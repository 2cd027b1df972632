#include "exec/cpu/conv_generator.h"
#include "exec/cpu/conv_narrow.h"
#include "exec/cpu/conv_plan.h"
#include "exec/cpu/kernel.h"
#include "exec/cpu/matmul_oracle.h"
#include "outerloop/base/error.h"

namespace outerloop::exec {
namespace {

void check(const ConvSpec& spec) {
  const ConvGeometry& g = spec.geometry;
  OL_ASSERT(is_floating(spec.dtype), "conv works on floating point numbers");
  for (const int64_t extent : {g.images, g.height, g.width, g.in_channels, g.out_height,
                               g.out_width, g.out_channels, g.kernel_height, g.kernel_width}) {
    OL_ASSERT(extent >= 0 && extent <= INT32_MAX, "conv: an extent is out of range");
  }
  OL_ASSERT(g.stride >= 1 && g.pad_top >= 0 && g.pad_left >= 0,
            "conv: strides are at least 1, paddings at least 0");
  check_epilogue(spec.epilogue);
}

}  // namespace

Kernel make_conv(const ConvSpec& spec, Isa isa) {
  check(spec);
  if (isa == Isa::scalar) return make_conv_oracle(spec);
  const ConvPlan plan = plan_conv(spec.geometry, spec.direction, spec.dtype);
  if (is_narrow(plan, spec.dtype, isa)) return make_narrow(plan, spec.dtype, spec.epilogue, isa);
  return ConvGenerator(plan, spec.dtype, spec.epilogue, isa).generate();
}

}  // namespace outerloop::exec
