#pragma once
// One thread's memory for the calls of a plan, one task at a time.

#include <vector>

#include "outerloop/exec/executable.h"
#include "train/compiled_call.h"
#include "train/lane_plan.h"
#include "train/task_inputs.h"

namespace outerloop::train {

class LaneMemory {
 public:
  LaneMemory(const LanePlan& plan, const data::EpisodeSpec& spec, size_t workspace_bytes);

  TaskInputs& inputs() { return inputs_; }
  // Works here, between the places of `wires`. The call's shared inputs are bound already.
  exec::Instance instance(const LanePlan::Wires& wires, const CompiledCall& call);
  Tensor& buffer(size_t number) { return buffers_[number]; }
  const float* number(const LanePlan::Place& place) const {
    return reinterpret_cast<const float*>(buffers_[place.buffer].data() + place.offset);
  }

 private:
  exec::Workspace workspace_;
  TaskInputs inputs_;
  std::vector<Tensor> buffers_;  // as LanePlan::buffers
};

}  // namespace outerloop::train
