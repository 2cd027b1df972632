#include "outerloop/optim/outer.h"

#include <algorithm>

#include "outerloop/ops/ops.h"

namespace outerloop::optim {

namespace {

// No sum of squares overflows where no element is larger, whatever their number.
constexpr double kLargestSquared = 1e12;

// An update being written.
struct Writer {
  const config::Outer& config;
  TensorType vector;
  Builder builder;
  OuterPlan plan;

  Expr input(const std::string& name) { return builder.input(name, vector, Binding::per_lane); }
  Expr scalar(const std::string& name) {
    return builder.input(name, {vector.dtype, {}}, Binding::shared);
  }
  Expr state(const std::string& name) {
    plan.state.push_back(name);
    return input("state/" + name);
  }
  Expr clipped(Expr gradient);
  Expr sgd(Expr theta, Expr gradient);
  Expr adam(Expr theta, Expr gradient);
};

Expr Writer::clipped(Expr gradient) {
  Expr result = gradient;
  if (config.clip_value) {
    const double limit = *config.clip_value;
    result = minimum(maximum(result, full_like(result, -limit)), full_like(result, limit));
  }
  if (config.clip_norm) {
    // In units of the largest element where its square may be too large, else as it is.
    const Expr largest = reduce_max(abs(result));
    const Expr is_large = less(full_like(largest, kLargestSquared), largest);
    const Expr unit = select(is_large, largest, ones_like(largest));
    const Expr scaled = result / unit;
    const Expr norm = sqrt(sum(square(scaled)));
    const Expr limit = full_like(norm, *config.clip_norm);
    result = scaled * (limit / maximum(norm, limit / unit));
  }
  return result;
}

Expr Writer::sgd(Expr theta, Expr gradient) {
  Expr direction = gradient;
  if (config.weight_decay > 0) {
    direction = direction + input("decay_mask") * theta * config.weight_decay;
  }
  if (config.momentum > 0) {
    direction = state("momentum") * config.momentum + direction;
    builder.output("state/momentum", direction);
  }
  return theta - scalar("rate") * direction;
}

Expr Writer::adam(Expr theta, Expr gradient) {
  const bool decays = config.weight_decay > 0;
  const bool decoupled = config.optimizer == config::OuterOptimizer::adamw;
  const Expr decay = decays ? input("decay_mask") * theta * config.weight_decay : Expr{};
  const Expr total = decays && !decoupled ? gradient + decay : gradient;
  const Expr mean = state("mean") * config.beta1 + total * (1 - config.beta1);
  const Expr variance = state("variance") * config.beta2 + square(total) * (1 - config.beta2);
  builder.output("state/mean", mean);
  builder.output("state/variance", variance);
  const Expr rate = scalar("rate");
  const Expr root = sqrt(variance * scalar("correction2"));
  Expr direction = mean * scalar("correction1") / (root + config.epsilon);
  if (decays && decoupled) direction = direction + decay;
  return theta - rate * direction;
}

}  // namespace

OuterPlan make_outer_plan(const config::Outer& config, int64_t elements, DType dtype) {
  Writer writer{config, {dtype, {elements}}, {}, {}};
  const Expr theta = writer.input("theta");
  const Expr gradient = writer.clipped(writer.input("gradient"));
  const bool is_sgd = config.optimizer == config::OuterOptimizer::sgd;
  const Expr updated = is_sgd ? writer.sgd(theta, gradient) : writer.adam(theta, gradient);
  writer.builder.output("theta", updated);
  if (config.ema) {
    const Expr average = writer.state("ema") * *config.ema + updated * (1 - *config.ema);
    writer.builder.output("state/ema", average);
  }
  writer.plan.update = std::make_shared<const Program>(writer.builder.finish());
  return writer.plan;
}

const ThetaEntry* ThetaLayout::find(std::string_view name) const {
  const auto place = std::ranges::find(entries, name, &ThetaEntry::name);
  return place == entries.end() ? nullptr : &*place;
}

ThetaLayout make_theta_layout(std::span<const std::pair<std::string, Shape>> parameters) {
  ThetaLayout layout;
  for (const auto& [name, shape] : parameters) {
    layout.entries.push_back({name, shape, layout.elements});
    const int64_t blocks = (shape.elements() + kThetaAlignment - 1) / kThetaAlignment;
    layout.elements += blocks * kThetaAlignment;
  }
  return layout;
}

}  // namespace outerloop::optim
