#pragma once
// A program bound to tensors, ready to run many times.

#include <vector>

#include "outerloop/exec/executable.h"

namespace outerloop::testing_support {

class BoundRun {
 public:
  // `inputs` are read where they lie.
  BoundRun(std::shared_ptr<const exec::Executable> executable, const std::vector<Tensor>& inputs,
           const exec::Workspace& workspace)
      : shared_(executable), instance_(executable, shared_, workspace) {
    const Program& program = executable->optimised();
    for (size_t i = 0; i < inputs.size(); ++i) {
      shared_.bind_input(static_cast<int>(i), inputs[i]);
      instance_.bind_input(static_cast<int>(i), inputs[i]);
    }
    for (size_t o = 0; o < program.outputs.size(); ++o) {
      const TensorType& type = program.type(program.outputs[o].value);
      instance_.bind_output(static_cast<int>(o), outputs_.emplace_back(type.dtype, type.shape));
    }
  }

  void run() {
    shared_.run();
    instance_.run();
  }
  // The lane's first kernel calls alone.
  void run_until(size_t steps) {
    shared_.run();
    instance_.run(0, steps);
  }
  const std::vector<Tensor>& outputs() const { return outputs_; }

 private:
  exec::SharedState shared_;
  exec::Instance instance_;
  std::vector<Tensor> outputs_;
};

}  // namespace outerloop::testing_support
