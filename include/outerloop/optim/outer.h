#pragma once
// Outer optimisers: programs over one flat vector that holds all meta-parameters.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "outerloop/config/config.h"
#include "outerloop/ir/program.h"
#include "outerloop/tensor/tensor.h"

namespace outerloop::optim {

// Where each meta-parameter lies in the flat vector. Each starts at a multiple of 16 elements; the
// padding between them is zero and stays zero.
struct ThetaEntry {
  std::string name;
  Shape shape;
  int64_t offset = 0;  // elements
};
struct ThetaLayout {
  std::vector<ThetaEntry> entries;
  int64_t elements = 0;                                 // with padding
  const ThetaEntry* find(std::string_view name) const;  // nullptr when there is none
};
inline constexpr int64_t kThetaAlignment = 16;  // elements
ThetaLayout make_theta_layout(std::span<const std::pair<std::string, Shape>> parameters);

// One update of `elements` elements, its scalars shared. Inputs, (elements,) unless said:
//   theta, gradient
//   state/<name>   for each of `state`
//   decay_mask     with weight decay: 1 where it applies
//   rate, correction1, correction2   scalars, see outer_scalars()
// Outputs: theta, state/<name>.
//   sgd     as PyTorch's: m <- momentum m + (g + weight_decay mask theta);  theta - rate m
//   adam    as Kingma and Ba 2015, epsilon outside the root; weight decay is added to the gradient
//   adamw   Loshchilov and Hutter 2019: theta - rate (… + weight_decay mask theta)
// The gradient is first clipped: each element to ±clip_value, then the whole vector to the
// Euclidean norm clip_norm, however large its finite elements are. ema: e <- ema e + (1 - ema)
// theta_new; it starts as a copy of theta, every other state at zero.
struct OuterPlan {
  std::shared_ptr<const Program> update;
  std::vector<std::string> state;  // "momentum" | "mean", "variance" | "ema"
};
OuterPlan make_outer_plan(const config::Outer& config, int64_t elements, DType dtype = DType::f32);

// The scalar inputs of the update in iteration `iteration` (0, 1, …), computed in double. The rate
// goes by iterations. Adam's factors go by `updates`, those that were made before: as in PyTorch,
// where step() counts and an iteration without it does not.
struct OuterScalars {
  double rate = 0;
  double correction1 = 1;  // 1 / (1 - beta1^(updates + 1))
  double correction2 = 1;
};
OuterScalars outer_scalars(const config::Outer& config, int64_t iteration, int64_t updates);

// The schedule alone: rate in iteration `iteration`. `schedule_every` n holds the rate for n
// iterations at a time. warmup: linear rise over the first iterations.
//   cosine  final + (rate - final) (1 + cos(pi t / T)) / 2,  T = iterations
//   linear  rate + (final - rate) t / T
//   step    rate step_factor^(t / schedule_every)
double rate_at(const config::Outer& config, int64_t iteration);

// Whether T is in it, so that a training of another length has other rates from its start.
bool rate_needs_the_end(const config::Outer& config);

}  // namespace outerloop::optim
