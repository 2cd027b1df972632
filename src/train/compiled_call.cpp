#include "train/compiled_call.h"

#include <fmt/format.h>

#include "outerloop/base/error.h"

namespace outerloop::train {

std::shared_ptr<const exec::Executable> CallCompiler::compile(
    const std::shared_ptr<const Program>& program) {
  auto& [source, executable] = known_[program.get()];
  if (!executable) {
    source = program;
    executable = exec::Executable::compile(*program, options_);
  }
  return executable;
}

SharedInputs theta_inputs(const float* theta, const optim::ThetaLayout& layout) {
  SharedInputs inputs;
  for (const optim::ThetaEntry& entry : layout.entries) {
    inputs["theta/" + entry.name] = theta + entry.offset;
  }
  return inputs;
}

CompiledCall::CompiledCall(const meta::Call& call, CallCompiler& compiler)
    : call_(call), executable_(compiler.compile(call.program)) {}

void CompiledCall::bind_shared(const SharedInputs& inputs) {
  bound_.clear();
  shared_ = std::make_unique<exec::SharedState>(executable_);
  for (size_t i = 0; i < program().inputs.size(); ++i) {
    const ProgramInput& input = program().inputs[i];
    if (input.binding != Binding::shared) continue;
    const void* data = nullptr;
    for (const meta::Constant& constant : call_.constants) {
      if (constant.name == input.name) data = constant.value.data();
    }
    if (const auto found = inputs.find(input.name); found != inputs.end()) data = found->second;
    OL_ASSERT(data != nullptr, fmt::format("nobody gives the shared input '{}'", input.name));
    bound_.emplace_back(static_cast<int>(i), data);
    shared_->bind_input(static_cast<int>(i), data);
  }
}

exec::Instance CompiledCall::unbound_instance(const exec::Workspace& workspace) const {
  exec::Instance instance(executable_, *shared_, workspace);
  for (const auto& [index, data] : bound_) instance.bind_input(index, data);
  return instance;
}

}  // namespace outerloop::train
