#include "train/lane_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "outerloop/base/error.h"

namespace outerloop::train {
namespace {

class Planner {
 public:
  // A second one is needed where a call reads what the call before it wrote.
  void make_gradients(const std::vector<PlacedCall>& calls, const optim::ThetaLayout& layout) {
    layout_ = &layout;
    for (const PlacedCall& placed : calls) count_writers(*placed.call);
    const TensorType vector{DType::f32, Shape{layout.elements}};
    result_.gradient = buffer(vector).buffer;
    const auto twice = [](const auto& writers) { return writers.second > 1; };
    if (std::ranges::any_of(writers_left_, twice)) buffer(vector);
  }

  // `which`: stands behind the names of the call's numbers.
  void wire(const PlacedCall& placed, const std::string& which = "") {
    LanePlan::Wires wires{.call = *placed.call, .inputs = {}, .outputs = {}};
    const Program& program = *placed.call->program;
    for (const ProgramInput& in : program.inputs) {
      const TensorType& type = program.type(in.value);
      if (in.name.starts_with("state/")) {
        wires.inputs[in.name] = kept(states_, placed.enter, in.name, type);
      } else if (in.name.starts_with("cotangent/")) {
        wires.inputs[in.name] = kept(cotangents_, placed.leave % 2, in.name, type);
      } else if (in.name.starts_with("grad/")) {
        wires.inputs[in.name] = gradient(in.name.substr(5));
      }
    }
    for (const ProgramOutput& out : program.outputs) {
      const Place place = output(out.name, program.type(out.value), placed);
      wires.outputs[out.name] = place;
      const bool is_looked_at =
          out.name == "loss" || out.name == "accuracy" || out.name.starts_with("measure/");
      if (is_looked_at) result_.numbers[out.name + which] = place;
    }
    result_.calls.push_back(std::move(wires));
  }

  LanePlan take() { return std::move(result_); }

 private:
  using Place = LanePlan::Place;
  using Kept = std::map<std::pair<size_t, std::string>, Place>;

  Place buffer(const TensorType& type) {
    result_.buffers.push_back(type);
    return {result_.buffers.size() - 1};
  }

  Place kept(Kept& table, size_t border, const std::string& name, const TensorType& type) {
    const auto found = table.find({border, name});
    if (found != table.end()) return found->second;
    return table[{border, name}] = buffer(type);
  }

  void count_writers(const meta::Call& call) {
    for (const ProgramOutput& out : call.program->outputs) {
      if (out.name.starts_with("grad/")) ++writers_left_[out.name.substr(5)];
    }
  }

  // The newest value is in the first when no writer is left.
  Place gradient(const std::string& parameter) const {
    const optim::ThetaEntry* entry = layout_->find(parameter);
    OL_ASSERT(entry != nullptr, "a gradient of an unknown parameter: " + parameter);
    const auto left = static_cast<size_t>(writers_left_.at(parameter));
    return {*result_.gradient + left % 2, static_cast<size_t>(entry->offset) * sizeof(float)};
  }

  Place output(const std::string& name, const TensorType& type, const PlacedCall& placed) {
    if (name.starts_with("state/")) return kept(states_, placed.leave, name, type);
    if (name.starts_with("cotangent/")) return kept(cotangents_, placed.enter % 2, name, type);
    if (!name.starts_with("grad/")) return buffer(type);
    --writers_left_.at(name.substr(5));
    return gradient(name.substr(5));
  }

  const optim::ThetaLayout* layout_ = nullptr;  // where there are gradients
  LanePlan result_;
  Kept states_;                              // by border and name
  Kept cotangents_;                          // by the border's parity and name
  std::map<std::string, int> writers_left_;  // by parameter
};

}  // namespace

size_t LanePlan::bytes() const {
  size_t sum = 0;
  for (const TensorType& type : buffers) sum += type.bytes();
  return sum;
}

std::vector<PlacedCall> calls_in_order(const meta::GradientPlan& plan) {
  std::vector<PlacedCall> calls;
  const size_t segments = plan.forward.size();
  for (size_t s = 0; s < segments; ++s) calls.push_back({&plan.forward[s], s, s + 1});
  calls.push_back({&plan.last, segments, segments + 1});
  for (size_t s = plan.backward.size(); s-- > 0;) {
    if (plan.backward[s].program) calls.push_back({&plan.backward[s], s, s + 1});
  }
  return calls;
}

LanePlan plan_lane(const meta::GradientPlan& plan, const optim::ThetaLayout& layout) {
  Planner planner;
  const std::vector<PlacedCall> calls = calls_in_order(plan);
  planner.make_gradients(calls, layout);
  for (const PlacedCall& placed : calls) planner.wire(placed);
  LanePlan lane = planner.take();
  OL_ASSERT(lane.numbers.contains("loss"), "the plan gives no loss");
  return lane;
}

// Nothing reads a state again once the next one is there: two places are enough.
LanePlan plan_lane(const meta::EvaluationPlan& plan) {
  Planner planner;
  planner.wire({&plan.start, 0, 0}, "/0");
  for (size_t k = 0; k < plan.steps.size(); ++k) {
    planner.wire({&plan.steps[k], k % 2, (k + 1) % 2}, fmt::format("/{}", k + 1));
  }
  return planner.take();
}

}  // namespace outerloop::train
