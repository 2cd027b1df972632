#pragma once
// Runs programs and plans for one task, on an engine: a compiled executor or the oracle.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "outerloop/exec/device.h"
#include "outerloop/meta/plan.h"
#include "outerloop/tensor/tensor.h"

namespace outerloop::reference {

using NamedTensors = std::map<std::string, Tensor, std::less<>>;

// One prepared program: inputs and outputs in its order.
using Run = std::function<std::vector<Tensor>(std::span<const Tensor> inputs)>;
// Prepares a program, which outlives what comes of it.
using Engine = std::function<Run(const Program& program)>;

Engine compiled();  // for the CPU
Engine oracle();
Engine on_device(std::shared_ptr<exec::Device> device);

class ProgramRunner {
 public:
  explicit ProgramRunner(Engine engine);
  ~ProgramRunner();

  // Prepared programs are kept: a program is compiled once.
  std::vector<Tensor> run(const std::shared_ptr<const Program>& program,
                          std::span<const Tensor> inputs);
  // By name. Throws InternalError when an input is missing.
  NamedTensors run(const std::shared_ptr<const Program>& program, const NamedTensors& inputs);
  NamedTensors run(const meta::Call& call, const NamedTensors& inputs);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Outputs of all calls: loss, accuracy, grad/<parameter>, …; the newest value of each name.
// "inputs" holds theta/…, hyper/…, the task and, where the plan wants them, all minibatches (steps,
// rows).
NamedTensors run_gradient(const meta::GradientPlan& plan, const NamedTensors& inputs,
                          ProgramRunner& runner);

// The outputs of the start and of each step.
std::vector<NamedTensors> run_evaluation(const meta::EvaluationPlan& plan,
                                         const NamedTensors& inputs, ProgramRunner& runner);

}  // namespace outerloop::reference
