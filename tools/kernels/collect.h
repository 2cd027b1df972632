#pragma once
// The kernels that trainings ask a device for, by asking in their place.

#include <memory>
#include <string>
#include <vector>

#include "kernels/recorder.h"
#include "outerloop/config/read.h"
#include "outerloop/data/family.h"
#include "outerloop/exec/cuda.h"
#include "outerloop/ir/program.h"

namespace outerloop::kernels {

// Shared memory that a block has on request on an H100 and an H200, the most of all GPUs.
inline constexpr size_t kMostShared = size_t{227} * 1024;

// What a training launches on a GPU with kMostShared.
struct Launches {
  std::string step;                // of a meta-step: "lane 1, reduction 3"
  std::vector<std::string> calls;  // of a task: whether it is one kernel, or why not
};

// Of a training and its test on 1, 2, 4 and 8 ranks, on any GPU: where a program may be one kernel,
// both that and the kernels of its steps. Returns why there are none where its data are not here,
// else "".
std::string add_training(const config::Resolved& config, const std::string& origin,
                         const std::shared_ptr<Recorder>& recorder, Launches* launches = nullptr);

// Of the steps of one program, each of which is launched once.
void add_program(const Program& program, const std::shared_ptr<Recorder>& recorder);

// Of drawing the family's tasks.
void add_tasks(const std::shared_ptr<const data::TaskFamily>& family,
               const std::shared_ptr<Recorder>& recorder);

}  // namespace outerloop::kernels
