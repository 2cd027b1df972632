#pragma once
// Programs on the stand-in for a GPU against the oracle, all compiled at once.

#include <memory>
#include <string>
#include <vector>

#include "exec/cuda/host_device.h"
#include "ops/generated.h"
#include "outerloop/exec/cuda.h"

namespace outerloop::testing_support {

class DeviceCheck {
 public:
  // With all passes, with the required ones alone, and as one kernel where that is possible. Inputs
  // by lane; shared ones are those of the first lane.
  void add(const Program& program, std::vector<std::vector<Tensor>> lane_inputs,
           const std::string& what);
  // Three lanes of the neighbourhood of an op.
  void add_record(const outerloop::testing::OpCase& c, DType dtype, uint32_t seed);
  // Compares one lane alone and all lanes of a call, launched one by one and as a graph.
  void run();

  HostDevice& device() { return *device_; }

 private:
  struct Case {
    std::string what;
    Program program;
    std::vector<std::vector<Tensor>> lane_inputs;
    std::vector<std::shared_ptr<const exec::cuda::Executable>> executables;
  };
  static void run(const Case& c);

  std::shared_ptr<HostDevice> device_ = std::make_shared<HostDevice>();
  std::vector<Case> cases_;
};

}  // namespace outerloop::testing_support
