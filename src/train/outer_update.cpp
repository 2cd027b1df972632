#include "train/outer_update.h"

#include <algorithm>
#include <cstring>

#include "outerloop/base/error.h"

namespace outerloop::train {
namespace {

Tensor zeros(int64_t elements) {
  return Tensor(DType::f32, Shape{elements});
}

}  // namespace

OuterState initial_state(const config::Config& config, const nn::ParameterSpecs& parameters,
                         const optim::ThetaLayout& layout) {
  OuterState state{.theta = initial_theta(parameters, layout, static_cast<uint64_t>(config.seed))};
  for (const std::string& name : optim::make_outer_plan(config.outer, layout.elements).state) {
    state.optimizer.push_back({name, name == "ema" ? state.theta.clone() : zeros(layout.elements)});
  }
  return state;
}

void copy_state(const OuterState& from, OuterState& to) {
  if (&from == &to) return;
  const auto copy = [](const Tensor& source, Tensor& target) {
    OL_ASSERT(source.bytes() == target.bytes(), "a state of another size");
    std::memcpy(target.data(), source.data(), source.bytes());
  };
  copy(from.theta, to.theta);
  OL_ASSERT(from.optimizer.size() == to.optimizer.size(), "another optimiser's state");
  for (size_t i = 0; i < from.optimizer.size(); ++i) {
    copy(from.optimizer[i].value, to.optimizer[i].value);
  }
  to.updates = from.updates;
}

Tensor decaying_weights(const config::Outer& config, const nn::ParameterSpecs& parameters,
                        const optim::ThetaLayout& layout) {
  if (config.weight_decay == 0) return {};
  Tensor mask = zeros(layout.elements);
  for (const nn::ParameterSpec& spec : parameters) {
    if (spec.role != nn::ParameterRole::weight) continue;
    const optim::ThetaEntry& entry = *layout.find(spec.name);
    std::ranges::fill(mask.as<float>().subspan(static_cast<size_t>(entry.offset),
                                               static_cast<size_t>(entry.shape.elements())),
                      1.0f);
  }
  return mask;
}

}  // namespace outerloop::train
