#include "train/lane_memory.h"

#include "outerloop/base/error.h"

namespace outerloop::train {

LaneMemory::LaneMemory(const LanePlan& plan, const data::EpisodeSpec& spec, size_t workspace_bytes)
    : workspace_(workspace_bytes), inputs_(spec) {
  for (const TensorType& type : plan.buffers) buffers_.emplace_back(type.dtype, type.shape);
}

exec::Instance LaneMemory::instance(const LanePlan::Wires& wires, const CompiledCall& call) {
  const auto memory = [this](const LanePlan::Place& place) {
    return buffers_[place.buffer].data() + place.offset;
  };
  const auto input = [&](const std::string& name, const TensorType& type) -> const void* {
    if (const auto wire = wires.inputs.find(name); wire != wires.inputs.end()) {
      return memory(wire->second);
    }
    const void* task = inputs_.find(name, type, wires.call.first_step);
    OL_ASSERT(task != nullptr, "nobody gives the input " + name);
    return task;
  };
  const auto output = [&](const std::string& name, const TensorType& /*type*/) {
    return memory(wires.outputs.find(name)->second);
  };
  return call.instance(workspace_, input, output);
}

}  // namespace outerloop::train
