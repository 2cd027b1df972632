#pragma once
// Derivatives as program transformations: they append equations to the program of their arguments,
// so they can be applied to their own results, to any order.
//
// `inputs` may be any values of the program. They are taken as independent variables: what lies
// before them is constant, also where one of them was computed from another. Values that do not
// depend on them are constants. An invalid Expr stands for zero, in arguments and in results.

#include <span>
#include <vector>

#include "outerloop/ir/builder.h"

namespace outerloop {

// Reverse mode: for each input x the sum over the outputs y of (dy/dx)^T cotangent(y).
std::vector<Expr> vjp(Builder& builder, std::span<const Expr> outputs, std::span<const Expr> inputs,
                      std::span<const Expr> cotangents);

// Forward mode: for each output y the sum over the inputs x of (dy/dx) tangent(x).
std::vector<Expr> jvp(Builder& builder, std::span<const Expr> outputs, std::span<const Expr> inputs,
                      std::span<const Expr> tangents);

// The gradient of a scalar: vjp with cotangent 1.
std::vector<Expr> grad(Builder& builder, Expr scalar, std::span<const Expr> inputs);

// `x` itself, or explicit zeros of the type of `like` when x is invalid.
Expr or_zeros(Expr x, Expr like);

}  // namespace outerloop
