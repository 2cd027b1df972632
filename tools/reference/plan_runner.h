#pragma once
// Runs programs and plans for one task, on the compiled executor or on the oracle.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "outerloop/meta/plan.h"
#include "outerloop/tensor/tensor.h"

namespace outerloop::reference {

using NamedTensors = std::map<std::string, Tensor, std::less<>>;

class ProgramRunner {
 public:
  enum class Engine { compiled, oracle };
  explicit ProgramRunner(Engine engine);
  ~ProgramRunner();

  // Compiled programs are kept: a program is compiled once.
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
