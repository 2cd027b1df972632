#include "kernels/ptx_check.h"

#include <gtest/gtest.h>

namespace outerloop::kernels {
namespace {

struct Case {
  const char* line;
  const char* doubtful;
};

TEST(PtxCheck, FindsWhatLeavesBitsOpen) {
  for (const Case& c : std::initializer_list<Case>{
           {"\tfma.rn.f32 \t%f1, %f2, %f3, %f4;", ""},
           {"\tadd.s32 \t%r1, %r2, 1;", ""},
           {"\tmad.lo.s32 \t%r1, %r2, %r3, %r4;", ""},
           {"\tmul.wide.u32 \t%rd1, %r2, 4;", ""},
           {"\tmax.f32 \t%f1, %f2, %f3;", ""},
           {"\trem.u32 \t%r1, %r2, %r3;", ""},
           {"\t@%p2 bra \t$L__BB0_5;", ""},
           {"\t.reg .f32 \t%f<36>;", ""},
           {"$L__BB0_5:", ""},
           {"// mul.f32", ""},
           {"\tret;", ""},
           {"}", ""},
           {"\tcall.uni (retval0), \n\tpart1, \n\t(\n\tparam0, \n\tparam1\n\t);", ""},
           {"\tmul.f32 \t%f1, %f2, %f3;", "mul.f32"},
           {"\t@%p1 add.f64 \t%fd1, %fd2, %fd3;", "add.f64"},
           {"\tadd.rz.f32 \t%f1, %f2, %f3;", "add.rz.f32"},
           {"\tmad.f32 \t%f1, %f2, %f3, %f4;", "mad.f32"},
           {"\tadd.f16x2 \t%r1, %r2, %r3;", "add.f16x2"},
           {"\tfma.rn.ftz.f32 \t%f1, %f2, %f3, %f4;", "fma.rn.ftz.f32"},
           {"\tmax.ftz.f32 \t%f1, %f2, %f3;", "max.ftz.f32"},
           {"\tdiv.full.f32 \t%f1, %f2, %f3;", "div.full.f32"},
           {"\tsqrt.approx.f32 \t%f1, %f2;", "sqrt.approx.f32"},
           {"\tcall (retval0), part1, \n\t(param0);\n\tex2.f32 \t%f1, %f2;", "ex2.f32"},
           {".extern .func  (.param .b32 func_retval0) vprintf", ".extern .func"},
           {".extern .shared .align 64 .b8 arena[];", ""},
           {"\tex2.f32 \t%f1, %f2;", "ex2.f32"},
           {"\twgmma.fence.sync.aligned;", "wgmma.fence.sync.aligned"},
       }) {
    EXPECT_EQ(c.doubtful, doubtful_instruction(c.line));
    EXPECT_EQ(c.doubtful, doubtful_instruction("\tret;\n\n" + std::string(c.line) + "\n\tret;\n"));
  }
}

}  // namespace
}  // namespace outerloop::kernels
