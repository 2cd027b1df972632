#include "outerloop/exec/executable.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <cstring>

#include "exec/cpu/executable_impl.h"
#include "outerloop/base/error.h"
#include "outerloop/ir/op_def.h"
#include "outerloop/ops/records.h"

namespace outerloop::exec {
namespace {

// The steps of one list with their operands as addresses. External ones are filled in by bind.
class BoundSteps {
 public:
  BoundSteps(const StepList& list, const Program& program, std::byte* lane, std::byte* shared)
      : list_(list),
        table_(list.operands.size(), nullptr),
        inputs_(program.inputs.size()),
        outputs_(program.outputs.size()) {
    for (size_t i = 0; i < list.operands.size(); ++i) {
      const Location& location = list.operands[i];
      switch (location.place) {
        case Place::input:
          inputs_[static_cast<size_t>(location.at)].push_back(i);
          break;
        case Place::output:
          outputs_[static_cast<size_t>(location.at)].push_back(i);
          break;
        case Place::lane_arena:
          table_[i] = lane + location.at;
          break;
        case Place::shared_arena:
          table_[i] = shared + location.at;
          break;
        case Place::unused:
          OL_ASSERT(false, "an operand has no place");
      }
    }
    for (size_t s = 0; s < list.kernels.size(); ++s) {
      calls_.push_back({list.kernels[s].function(), list.kernels[s].state(),
                        table_.data() + list.first_operand[s]});
    }
  }
  BoundSteps(const BoundSteps&) = delete;
  BoundSteps& operator=(const BoundSteps&) = delete;

  void bind_input(int index, const void* data) {
    for (size_t i : inputs_[static_cast<size_t>(index)]) table_[i] = const_cast<void*>(data);
  }
  void bind_output(int index, void* data) {
    for (size_t i : outputs_[static_cast<size_t>(index)]) table_[i] = data;
  }
  void run() const {
    for (const Call& call : calls_) call.function(call.state, call.operands);
  }
  size_t size() const { return calls_.size(); }
  void run_step(size_t s) const { calls_[s].function(calls_[s].state, calls_[s].operands); }
  int32_t equation(size_t s) const { return list_.equation[s]; }

 private:
  struct Call {
    Kernel::Function function;
    const void* state;
    void* const* operands;
  };
  const StepList& list_;
  std::vector<void*> table_;
  std::vector<Call> calls_;
  std::vector<std::vector<size_t>> inputs_;   // by input: places in the table
  std::vector<std::vector<size_t>> outputs_;  // by output
};

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
  return std::shared_ptr<const Executable>(
      new Executable(plan(passes::optimise(program, options.passes), options.isa)));
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
double Executable::shared_dense_flops() const {
  return impl_->shared_flops.dense;
}
size_t Executable::lane_steps() const {
  return impl_->lane.kernels.size();
}

Workspace::Workspace(size_t bytes) : size_((bytes + 63) / 64 * 64) {
  if (size_ == 0) return;
  data_.reset(static_cast<std::byte*>(std::aligned_alloc(64, size_)));
  if (!data_) {
    throw SystemFailure(
        fmt::format("out of memory: a workspace of {} bytes; lower model.filters, "
                    "tasks.queries or inner.segment",
                    size_));
  }
  std::memset(data_.get(), 0, size_);
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
  OL_ASSERT(workspace.bytes().size() >= executable->lane_arena_bytes(),
            "the workspace is too small");
  impl_ = std::make_unique<Impl>(std::move(executable), workspace.bytes().data(),
                                 shared.impl_->arena.bytes().data());
}
Instance::~Instance() = default;
Instance::Instance(Instance&&) noexcept = default;
void Instance::bind_input(int index, const void* data) {
  impl_->steps.bind_input(index, data);
}
void Instance::bind_output(int index, void* data) {
  impl_->steps.bind_output(index, data);
}
void Instance::run() {
  impl_->steps.run();
}

void Instance::run_timed(std::vector<StepTime>& times) {
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
    const TensorType& type = program.type(program.inputs[i].value);
    if (inputs[i].dtype() != type.dtype || !(inputs[i].shape() == type.shape)) {
      throw BadInput(fmt::format("input '{}' is {}{}, the program wants {}", program.inputs[i].name,
                                 name_of(inputs[i].dtype()), to_string(inputs[i].shape()),
                                 to_string(type)));
    }
    shared.bind_input(static_cast<int>(i), inputs[i].data());
    instance.bind_input(static_cast<int>(i), inputs[i].data());
  }
  std::vector<Tensor> outputs;
  for (size_t o = 0; o < program.outputs.size(); ++o) {
    const TensorType& type = program.type(program.outputs[o].value);
    outputs.emplace_back(type.dtype, type.shape);
    instance.bind_output(static_cast<int>(o), outputs.back().data());
  }
  shared.run();
  instance.run();
  return outputs;
}

}  // namespace outerloop::exec
