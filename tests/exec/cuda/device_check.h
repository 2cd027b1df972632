#pragma once
// Programs on the device of the test program against the oracle.

#include <memory>
#include <string>
#include <vector>

#include "exec/cuda/test_device.h"
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

 private:
  struct Case {
    std::string what;
    Program program;
    std::vector<std::vector<Tensor>> lane_inputs;
    std::vector<std::shared_ptr<const exec::cuda::Executable>> executables;
  };
  static void run(const Case& c);

  std::shared_ptr<exec::Device> device_ = test_device();
  std::vector<Case> cases_;
};

}  // namespace outerloop::testing_support
