#pragma once
// One call of a plan, compiled: its shared state, and the names of its inputs and outputs.

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "outerloop/exec/executable.h"
#include "outerloop/meta/plan.h"
#include "outerloop/optim/outer.h"

namespace outerloop::train {

// Compiles each distinct program once.
class CallCompiler {
 public:
  explicit CallCompiler(exec::CompileOptions options) : options_(std::move(options)) {}
  std::shared_ptr<const exec::Executable> compile(const std::shared_ptr<const Program>& program);

 private:
  exec::CompileOptions options_;
  std::map<const Program*,
           std::pair<std::shared_ptr<const Program>, std::shared_ptr<const exec::Executable>>>
      known_;
};

// Shared inputs by name: pointers into theta ("theta/…"), settings ("hyper/…").
using SharedInputs = std::map<std::string, const void*, std::less<>>;

SharedInputs theta_inputs(const float* theta, const optim::ThetaLayout& layout);

class CompiledCall {
 public:
  // Compiles; the memory for what lanes share comes with bind_shared().
  CompiledCall(const meta::Call& call, CallCompiler& compiler);

  // Throws InternalError when the program wants a shared input that is not there.
  void bind_shared(const SharedInputs& inputs);
  // Recomputes what depends on shared inputs alone.
  void refresh() { shared_->run(); }

  // For a lane: shared inputs are bound already. input(name, type) and output(name, type) give the
  // memory of the per-lane inputs and of the outputs.
  template <class Input, class Output>
  exec::Instance instance(const exec::Workspace& workspace, Input input, Output output) const {
    exec::Instance lane = unbound_instance(workspace);
    for (size_t i = 0; i < program().inputs.size(); ++i) {
      const ProgramInput& in = program().inputs[i];
      if (in.binding == Binding::shared) continue;
      lane.bind_input(static_cast<int>(i), input(in.name, program().type(in.value)));
    }
    for (size_t o = 0; o < program().outputs.size(); ++o) {
      const ProgramOutput& out = program().outputs[o];
      lane.bind_output(static_cast<int>(o), output(out.name, program().type(out.value)));
    }
    return lane;
  }

  const Program& program() const { return *call_.program; }
  const exec::Executable& executable() const { return *executable_; }
  const meta::Call& call() const { return call_; }

 private:
  exec::Instance unbound_instance(const exec::Workspace& workspace) const;

  meta::Call call_;
  std::shared_ptr<const exec::Executable> executable_;
  std::unique_ptr<exec::SharedState> shared_;
  std::vector<std::pair<int, const void*>> bound_;
};

}  // namespace outerloop::train
