#pragma once
// A learned optimiser in the manner of Metz et al., "Practical tradeoffs between memory, compute,
// and performance in learned optimizers", 2022.
//
// A small network reads, for each weight, its gradient, itself and running means of its gradients,
// each divided by its root mean square over the tensor, and answers with a direction d and a
// magnitude m: weight - step_scale d exp(magnitude_scale m). Its parameters, optimizer/…, and the
// initialisation, net/…, are learned through the inner loop.

#include <cstdint>
#include <vector>

#include "outerloop/meta/learner.h"

namespace outerloop::meta {

struct LearnedOptimizer {
  int64_t hidden = 16;                              // tanh units
  std::vector<double> decays = {0.9, 0.99, 0.999};  // of the running means
  double step_scale = 0.001;
  double magnitude_scale = 0.001;
  double epsilon = 1e-12;  // added to the mean square
};

Learner make_learned_optimizer_learner(const config::Config& config, const TaskShape& shape,
                                       const LearnedOptimizer& options);

}  // namespace outerloop::meta
