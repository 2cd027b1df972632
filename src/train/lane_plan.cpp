#include "train/lane_plan.h"

#include <algorithm>

#include "outerloop/base/error.h"

namespace outerloop::train {
namespace {

class Planner {
 public:
  Planner(const meta::GradientPlan& plan, const optim::ThetaLayout& layout) : layout_(layout) {
    const std::vector<PlacedCall> calls = calls_in_order(plan);
    for (const PlacedCall& placed : calls) count_writers(*placed.call);
    make_gradients();
    for (const PlacedCall& placed : calls) wire(*placed.call, placed.enter, placed.leave);
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

  // A second one is needed where a call reads what the call before it wrote.
  void make_gradients() {
    const TensorType vector{DType::f32, Shape{layout_.elements}};
    result_.gradient = buffer(vector).buffer;
    const auto twice = [](const auto& writers) { return writers.second > 1; };
    if (std::ranges::any_of(writers_left_, twice)) buffer(vector);
  }

  // The newest value is in the first when no writer is left.
  Place gradient(const std::string& parameter) const {
    const optim::ThetaEntry* entry = layout_.find(parameter);
    OL_ASSERT(entry != nullptr, "a gradient of an unknown parameter: " + parameter);
    const auto left = static_cast<size_t>(writers_left_.at(parameter));
    return {result_.gradient + left % 2, static_cast<size_t>(entry->offset) * sizeof(float)};
  }

  void wire(const meta::Call& call, size_t enter, size_t leave) {
    LanePlan::Wires wires{.call = &call, .inputs = {}, .outputs = {}};
    const Program& program = *call.program;
    for (const ProgramInput& in : program.inputs) {
      const TensorType& type = program.type(in.value);
      if (in.name.starts_with("state/")) {
        wires.inputs[in.name] = kept(states_, enter, in.name, type);
      } else if (in.name.starts_with("cotangent/")) {
        wires.inputs[in.name] = kept(cotangents_, leave % 2, in.name, type);
      } else if (in.name.starts_with("grad/")) {
        wires.inputs[in.name] = gradient(in.name.substr(5));
      }
    }
    for (const ProgramOutput& out : program.outputs) {
      wires.outputs[out.name] = output(out.name, program.type(out.value), enter, leave);
    }
    result_.calls.push_back(std::move(wires));
  }

  Place output(const std::string& name, const TensorType& type, size_t enter, size_t leave) {
    if (name.starts_with("state/")) return kept(states_, leave, name, type);
    if (name.starts_with("cotangent/")) return kept(cotangents_, enter % 2, name, type);
    if (!name.starts_with("grad/")) return buffer(type);
    --writers_left_.at(name.substr(5));
    return gradient(name.substr(5));
  }

  const optim::ThetaLayout& layout_;
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
  return Planner(plan, layout).take();
}

}  // namespace outerloop::train
