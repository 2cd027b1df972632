#pragma once
// Solvers of (I + M) x = b, written out in the program with a fixed number of iterations. An
// iterate whose residual has reached the tolerance stays as it is.

#include <functional>
#include <span>
#include <vector>

#include "outerloop/config/config.h"
#include "outerloop/ir/builder.h"

namespace outerloop::meta {

// v -> M v, for a vector made of several tensors.
using LinearMap = std::function<std::vector<Expr>(std::span<const Expr>)>;

struct Solution {
  std::vector<Expr> x;
  Expr residual;            // ||b - (I + M) x|| / ||b||, as the iteration has it
  Expr negative_curvature;  // 1 where I + M was seen not to be positive definite
};

// Needs I + M symmetric positive definite; stops, and says so, at a direction p where
// p (I + M) p <= 0.
Solution solve_by_conjugate_gradients(const LinearMap& m, std::span<const Expr> b,
                                      const config::Implicit& config);
// x <- b - M x, from x = b. Needs eigenvalues of M within (-1, 1).
Solution solve_by_neumann_series(const LinearMap& m, std::span<const Expr> b,
                                 const config::Implicit& config);

}  // namespace outerloop::meta
