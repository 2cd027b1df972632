#include <algorithm>
#include <cmath>
#include <numbers>

#include "outerloop/optim/outer.h"

namespace outerloop::optim {

double rate_at(const config::Outer& config, int64_t iteration) {
  const int64_t every = std::max<int64_t>(config.schedule_every, 1);
  const int64_t held = iteration / every * every;
  const double t = static_cast<double>(held) / static_cast<double>(config.iterations);
  double rate = config.rate;
  switch (config.schedule) {
    case config::Schedule::constant:
      break;
    case config::Schedule::cosine:
      rate = config.final_rate +
             (config.rate - config.final_rate) * (1 + std::cos(std::numbers::pi * t)) / 2;
      break;
    case config::Schedule::linear:
      rate = config.rate + (config.final_rate - config.rate) * t;
      break;
    case config::Schedule::step:
      rate = config.rate * std::pow(config.step_factor, static_cast<double>(iteration / every));
      break;
  }
  if (iteration >= config.warmup) return rate;
  return rate * static_cast<double>(iteration + 1) / static_cast<double>(config.warmup + 1);
}

bool rate_needs_the_end(const config::Outer& config) {
  return config.schedule == config::Schedule::cosine || config.schedule == config::Schedule::linear;
}

OuterScalars outer_scalars(const config::Outer& config, int64_t iteration, int64_t updates) {
  OuterScalars scalars{.rate = rate_at(config, iteration)};
  if (config.optimizer != config::OuterOptimizer::sgd) {
    const auto t = static_cast<double>(updates + 1);
    scalars.correction1 = 1 / (1 - std::pow(config.beta1, t));
    scalars.correction2 = 1 / (1 - std::pow(config.beta2, t));
  }
  return scalars;
}

}  // namespace outerloop::optim
