#include "outerloop/exec/executable.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <cstring>

#include "exec/cpu/bound_steps.h"
#include "exec/cpu/kernel_cache.h"
#include "outerloop/base/error.h"
#include "outerloop/base/memory.h"
#include "outerloop/ir/op_def.h"
#include "outerloop/ops/records.h"

namespace outerloop::exec {
namespace {

std::string describe(const Program& program, int32_t e) {
  if (e < 0) return "copy to output";
  const Equation& equation = program.equations[static_cast<size_t>(e)];
  std::string name(equation.op->name);
  if (equation.op == &ops::fused) {
    for (const Equation& inner : equation.attributes.program("body")->equations) {
      name += fmt::format("+{}", inner.op->name);
    }
  }
  return fmt::format("{} {}", to_string(program.type(equation.outputs.front())), name);
}

}  // namespace

Executable::Executable(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
Executable::~Executable() = default;

std::shared_ptr<const Executable> Executable::compile(const Program& program,
                                                      const CompileOptions& options) {
  return std::shared_ptr<const Executable>(new Executable(
      plan(passes::optimise(program, options.passes), options.isa, *options.kernels)));
}

const Program& Executable::optimised() const {
  return impl_->optimised;
}
Isa Executable::isa() const {
  return impl_->isa;
}
size_t Executable::lane_arena_bytes() const {
  return static_cast<size_t>(impl_->lane_arena_bytes);
}
size_t Executable::shared_arena_bytes() const {
  return static_cast<size_t>(impl_->shared_arena_bytes);
}
size_t Executable::peak_live_bytes() const {
  return static_cast<size_t>(impl_->peak_live_bytes);
}
double Executable::lane_flops() const {
  return impl_->lane_flops.all;
}
double Executable::lane_dense_flops() const {
  return impl_->lane_flops.dense;
}
double Executable::shared_flops() const {
  return impl_->shared_flops.all;
}
size_t Executable::lane_kernel_calls() const {
  return impl_->lane.kernels.size();
}

std::vector<size_t> Executable::steps_to_outputs() const {
  const StepList& list = impl_->lane;
  std::vector<size_t> steps(impl_->optimised.outputs.size(), 0);
  for (size_t s = 0; s < list.kernels.size(); ++s) {
    for (int32_t i = list.first_operand[s]; i < list.first_operand[s + 1]; ++i) {
      const Location& location = list.operands[static_cast<size_t>(i)];
      if (location.place == Place::output) steps[static_cast<size_t>(location.at)] = s + 1;
    }
  }
  return steps;
}

KernelCache::KernelCache() : impl_(std::make_unique<Impl>()) {}
KernelCache::~KernelCache() = default;
size_t KernelCache::made() const {
  return impl_->made();
}

Workspace::Workspace(size_t bytes) {
  if (bytes == 0) return;
  const size_t size = (bytes + Tensor::kAlignment - 1) / Tensor::kAlignment * Tensor::kAlignment;
  if (has_memory_for(size)) {
    owned_.reset(static_cast<std::byte*>(std::aligned_alloc(Tensor::kAlignment, size)));
  }
  if (!owned_) {
    throw SystemFailure(
        fmt::format("out of memory: a workspace of {} bytes; lower model.filters, "
                    "tasks.queries or inner.segment",
                    size));
  }
  bytes_ = {owned_.get(), size};
  std::memset(bytes_.data(), 0, size);
}

Workspace::Workspace(std::span<std::byte> memory) : bytes_(memory) {
  if (reinterpret_cast<uintptr_t>(memory.data()) % Tensor::kAlignment != 0) {
    throw BadInput(fmt::format("a workspace must be aligned to {} bytes", Tensor::kAlignment));
  }
}

void Workspace::Free::operator()(std::byte* p) const {
  std::free(p);
}

struct SharedState::Impl {
  explicit Impl(std::shared_ptr<const Executable> e)
      : executable(std::move(e)),
        arena(executable->shared_arena_bytes()),
        steps(executable->impl().shared, executable->optimised(), nullptr, arena.bytes().data()) {}
  std::shared_ptr<const Executable> executable;
  Workspace arena;
  BoundSteps steps;
};

SharedState::SharedState(std::shared_ptr<const Executable> executable)
    : impl_(std::make_unique<Impl>(std::move(executable))) {}
SharedState::~SharedState() = default;
SharedState::SharedState(SharedState&&) noexcept = default;
void SharedState::bind_input(int index, const void* data) {
  impl_->steps.bind_input(index, data);
}
void SharedState::bind_input(int index, const Tensor& tensor) {
  impl_->steps.bind_input(index, tensor);
}
void SharedState::run() {
  impl_->steps.run();
}

struct Instance::Impl {
  Impl(std::shared_ptr<const Executable> e, std::byte* lane, std::byte* shared)
      : executable(std::move(e)),
        steps(executable->impl().lane, executable->optimised(), lane, shared) {}
  std::shared_ptr<const Executable> executable;
  BoundSteps steps;
};

Instance::Instance(std::shared_ptr<const Executable> executable, const SharedState& shared,
                   const Workspace& workspace) {
  if (workspace.bytes().size() < executable->lane_arena_bytes()) {
    throw BadInput(fmt::format("a lane of this program needs a workspace of {} bytes, came {}",
                               executable->lane_arena_bytes(), workspace.bytes().size()));
  }
  if (shared.impl_->executable != executable) {
    throw BadInput("the shared state is that of another executable");
  }
  impl_ = std::make_unique<Impl>(std::move(executable), workspace.bytes().data(),
                                 shared.impl_->arena.bytes().data());
}
Instance::~Instance() = default;
Instance::Instance(Instance&&) noexcept = default;
void Instance::bind_input(int index, const void* data) {
  impl_->steps.bind_input(index, data);
}
void Instance::bind_input(int index, const Tensor& tensor) {
  impl_->steps.bind_input(index, tensor);
}
void Instance::bind_output(int index, void* data) {
  impl_->steps.bind_output(index, data);
}
void Instance::bind_output(int index, Tensor& tensor) {
  impl_->steps.bind_output(index, tensor);
}
void Instance::run() {
  impl_->steps.run();
}

void Instance::run(size_t first, size_t end) {
  if (first > end || end > impl_->steps.size()) {
    throw BadInput(fmt::format("the program has {} steps, there are none from {} to {}",
                               impl_->steps.size(), first, end));
  }
  impl_->steps.check_bound();
  for (size_t s = first; s < end; ++s) impl_->steps.run_step(s);
}

void Instance::run_timed(std::vector<StepTime>& times) {
  impl_->steps.check_bound();
  const Program& program = impl_->executable->optimised();
  if (times.size() != impl_->steps.size()) {
    times.assign(impl_->steps.size(), {});
    for (size_t s = 0; s < times.size(); ++s) {
      const int32_t e = impl_->steps.equation(s);
      times[s].description = describe(program, e);
      if (e >= 0) times[s].flops = flops_of(program, program.equations[static_cast<size_t>(e)]);
    }
  }
  for (size_t s = 0; s < times.size(); ++s) {
    const auto start = std::chrono::steady_clock::now();
    impl_->steps.run_step(s);
    times[s].seconds +=
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
}

std::vector<Tensor> run_once(const std::shared_ptr<const Executable>& executable,
                             std::span<const Tensor> inputs) {
  const Program& program = executable->optimised();
  if (inputs.size() != program.inputs.size()) {
    throw BadInput(
        fmt::format("the program has {} inputs, got {}", program.inputs.size(), inputs.size()));
  }
  SharedState shared(executable);
  const Workspace workspace(executable->lane_arena_bytes());
  Instance instance(executable, shared, workspace);
  for (size_t i = 0; i < inputs.size(); ++i) {
    shared.bind_input(static_cast<int>(i), inputs[i]);
    instance.bind_input(static_cast<int>(i), inputs[i]);
  }
  std::vector<Tensor> outputs;
  for (size_t o = 0; o < program.outputs.size(); ++o) {
    const TensorType& type = program.type(program.outputs[o].value);
    instance.bind_output(static_cast<int>(o), outputs.emplace_back(type.dtype, type.shape));
  }
  shared.run();
  instance.run();
  return outputs;
}

}  // namespace outerloop::exec
