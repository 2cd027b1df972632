#pragma once
// Transcendental functions as sequences of correctly rounded operations, so that every executor
// gives the same bits. Polynomials: ops/coefficients.h; reductions follow the usual ones of Cephes
// and fdlibm. Errors were measured by tests/ops/functors_test.cpp. Infinities and NaN behave as in
// libm; results of exp and pow below the smallest normal number are 0.

#include "outerloop/ir/scalar.h"

namespace outerloop {

Scalar exp_body(Scalar x);
// Takes subnormal arguments too.
Scalar log_body(Scalar x);
Scalar tanh_body(Scalar x);
Scalar logistic_body(Scalar x);
// Three-part reduction by pi / 2: good for |x| < 1e5; absolute accuracy is lost beyond.
Scalar sin_body(Scalar x);
Scalar cos_body(Scalar x);
// Whole exponents by repeated multiplication, others as 2^(p log2 x).
Scalar pow_body(Scalar x, double exponent);

}  // namespace outerloop
