#include "train/lane_runner.h"

#include "outerloop/base/error.h"

namespace outerloop::train {

LaneRunner::LaneRunner(const CompiledGradientPlan& plan,
                       std::shared_ptr<const data::TaskFamily> family,
                       const optim::ThetaLayout& layout)
    : family_(std::move(family)), workspace_(plan.workspace_bytes()), inputs_(family_->spec()) {
  const LanePlan lane = plan_lane(plan.plan, layout);
  for (const TensorType& type : lane.buffers) buffers_.emplace_back(type.dtype, type.shape);
  gradient_ = buffers_[lane.gradient].as<float>();
  for (size_t c = 0; c < lane.calls.size(); ++c) bind(lane.calls[c], plan.calls[c]);
  OL_ASSERT(loss_ != nullptr, "the plan gives no loss");
}

void LaneRunner::bind(const LanePlan::Wires& wires, const CompiledCall& call) {
  const auto memory = [this](const LanePlan::Place& place) {
    return buffers_[place.buffer].data() + place.offset;
  };
  const auto input = [&](const std::string& name, const TensorType& type) -> const void* {
    if (const auto wire = wires.inputs.find(name); wire != wires.inputs.end()) {
      return memory(wire->second);
    }
    const void* task = inputs_.find(name, type, wires.call->first_step);
    OL_ASSERT(task != nullptr, "nobody gives the input " + name);
    return task;
  };
  const auto output = [&](const std::string& name, const TensorType& /*type*/) {
    std::byte* place = memory(wires.outputs.find(name)->second);
    const auto* scalar = reinterpret_cast<const float*>(place);
    if (name == "loss") loss_ = scalar;
    if (name == "accuracy") accuracy_ = scalar;
    if (name.starts_with("measure/")) measures_[name.substr(8)] = scalar;
    return place;
  };
  calls_.push_back(call.instance(workspace_, input, output));
  steps_.push_back(call.executable().lane_steps());
}

size_t LaneRunner::buffer_bytes() const {
  size_t sum = TaskInputs::bytes(family_->spec());
  for (const Tensor& buffer : buffers_) sum += buffer.bytes();
  return sum;
}

void LaneRunner::draw(const data::TaskKey& key) {
  inputs_.draw(*family_, key);
}

const float* LaneRunner::measure(const std::string& name) const {
  const auto found = measures_.find(name);
  OL_ASSERT(found != measures_.end(), "the plan gives no measure " + name);
  return found->second;
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
