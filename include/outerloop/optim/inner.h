#pragma once
// Inner optimisers: the update of one tensor, as a function that appends to a program, so that
// outer gradients flow through it and through its state.

#include <span>
#include <string_view>
#include <vector>

#include "outerloop/config/config.h"
#include "outerloop/ir/builder.h"

namespace outerloop::optim {

// What the optimiser keeps per tensor between steps: "momentum" | "mean", "variance". At the first
// step all of it is zero, written as invalid Exprs.
std::vector<std::string_view> inner_state_names(config::InnerOptimizer optimizer);

struct InnerUpdate {
  Expr weight;
  std::vector<Expr> state;  // in the order of inner_state_names
};

// Adam's factors 1 / (1 - beta^t), t = step + 1, computed in double by the caller of the program.
double bias_correction(double beta, int64_t step);

// sgd       w - rate g
// momentum  m <- momentum m + g,  w - rate m
// adam      m <- b1 m + (1 - b1) g,  v <- b2 v + (1 - b2) g^2,
//           w - rate (m c1) / (sqrt(v c2) + epsilon),  c_i = 1 / (1 - b_i^t)
// `rate` is a scalar or has the shape of the weight; c1 and c2 are scalars, used by adam alone.
InnerUpdate inner_update(const config::Inner& config, Expr weight, Expr gradient,
                         std::span<const Expr> state, Expr rate, Expr correction1,
                         Expr correction2);

}  // namespace outerloop::optim
