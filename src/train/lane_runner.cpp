#include "train/lane_runner.h"

#include "outerloop/base/error.h"

namespace outerloop::train {

LaneRunner::LaneRunner(const CompiledGradientPlan& plan,
                       std::shared_ptr<const data::TaskFamily> family,
                       const optim::ThetaLayout& layout)
    : family_(std::move(family)),
      lane_(plan_lane(plan.plan, layout)),
      memory_(lane_, family_->spec(), plan.workspace_bytes()),
      gradient_(memory_.buffer(*lane_.gradient).as<float>()),
      loss_(number("loss")),
      accuracy_(number("accuracy")) {
  for (size_t c = 0; c < lane_.calls.size(); ++c) {
    calls_.push_back(memory_.instance(lane_.calls[c], plan.calls[c]));
    steps_.push_back(plan.calls[c].executable().lane_kernel_calls());
  }
}

const float* LaneRunner::number(const std::string& name) const {
  const auto place = lane_.numbers.find(name);
  return place == lane_.numbers.end() ? nullptr : memory_.number(place->second);
}

size_t LaneRunner::buffer_bytes() const {
  return TaskInputs::bytes(family_->spec()) + lane_.bytes();
}

void LaneRunner::draw(const data::TaskKey& key) {
  memory_.inputs().draw(*family_, key);
}

const float* LaneRunner::measure(const std::string& name) const {
  const float* found = number("measure/" + name);
  OL_ASSERT(found != nullptr, "the plan gives no measure " + name);
  return found;
}

void LaneRunner::profile(std::vector<exec::StepTime>& times) {
  std::vector<exec::StepTime> all;
  for (exec::Instance& call : calls_) {
    std::vector<exec::StepTime> own;
    call.run_timed(own);
    all.insert(all.end(), own.begin(), own.end());
  }
  if (times.empty()) times.resize(all.size());
  for (size_t i = 0; i < all.size(); ++i) {
    times[i].description = all[i].description;
    times[i].flops = all[i].flops;
    times[i].seconds += all[i].seconds;
  }
}

}  // namespace outerloop::train
