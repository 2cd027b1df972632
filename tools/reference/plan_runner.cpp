#include "reference/plan_runner.h"

#include <fmt/format.h>

#include <cstring>
#include <unordered_map>

#include "outerloop/base/error.h"
#include "outerloop/exec/cuda.h"
#include "outerloop/exec/executable.h"
#include "outerloop/exec/oracle.h"

namespace outerloop::reference {

Engine compiled() {
  return [](const Program& program) -> Run {
    return [executable = exec::Executable::compile(program)](std::span<const Tensor> inputs) {
      return exec::run_once(executable, inputs);
    };
  };
}

Engine oracle() {
  return [](const Program& program) -> Run {
    return [&program](std::span<const Tensor> inputs) { return exec::interpret(program, inputs); };
  };
}

Engine on_device(std::shared_ptr<exec::Device> device) {
  return [device](const Program& program) -> Run {
    const auto lane = std::make_shared<exec::cuda::CopiedLanes>(
        exec::cuda::Executable::compile(program, device), 1);
    return [lane](std::span<const Tensor> inputs) {
      return lane->run({{inputs.begin(), inputs.end()}}).front();
    };
  };
}

struct ProgramRunner::Impl {
  struct Prepared {
    std::shared_ptr<const Program> source;  // keeps the address taken
    Run run;
  };
  Engine engine;
  std::unordered_map<const Program*, Prepared> prepared;
};

ProgramRunner::ProgramRunner(Engine engine) : impl_(std::make_unique<Impl>(std::move(engine))) {}

ProgramRunner::~ProgramRunner() = default;

std::vector<Tensor> ProgramRunner::run(const std::shared_ptr<const Program>& program,
                                       std::span<const Tensor> inputs) {
  Impl::Prepared& entry = impl_->prepared[program.get()];
  if (!entry.run) entry = {program, impl_->engine(*program)};
  return entry.run(inputs);
}

NamedTensors ProgramRunner::run(const std::shared_ptr<const Program>& program,
                                const NamedTensors& inputs) {
  std::vector<Tensor> ordered;
  for (const ProgramInput& input : program->inputs) {
    const auto place = inputs.find(input.name);
    OL_ASSERT(place != inputs.end(), fmt::format("nobody gives the input {}", input.name));
    ordered.push_back(place->second);
  }
  const std::vector<Tensor> results = run(program, ordered);
  NamedTensors outputs;
  for (size_t i = 0; i < results.size(); ++i) outputs[program->outputs[i].name] = results[i];
  return outputs;
}

namespace {

// The call's rows of the episode's minibatches.
Tensor rows_of(const Tensor& minibatches, const meta::Call& call) {
  const int64_t rows = minibatches.shape()[1];
  Tensor part(DType::i32, {call.steps, rows});
  std::memcpy(part.data(), minibatches.as<int32_t>().data() + call.first_step * rows, part.bytes());
  return part;
}

void merge(NamedTensors& all, const NamedTensors& newer) {
  for (const auto& [name, value] : newer) all[name] = value;
}

}  // namespace

NamedTensors ProgramRunner::run(const meta::Call& call, const NamedTensors& inputs) {
  NamedTensors given = inputs;
  for (const meta::Constant& constant : call.constants) given[constant.name] = constant.value;
  const auto minibatches = inputs.find("minibatch");
  if (minibatches != inputs.end()) given["minibatch"] = rows_of(minibatches->second, call);
  return run(call.program, given);
}

NamedTensors run_gradient(const meta::GradientPlan& plan, const NamedTensors& inputs,
                          ProgramRunner& runner) {
  std::vector<NamedTensors> entries = {inputs};  // what enters each segment
  for (const meta::Call& call : plan.forward) {
    entries.push_back(inputs);
    merge(entries.back(), runner.run(call, entries[entries.size() - 2]));
  }
  NamedTensors results = runner.run(plan.last, entries.back());
  for (size_t s = plan.backward.size(); s-- > 0;) {
    if (!plan.backward[s].program) continue;
    NamedTensors given = entries[s];
    merge(given, results);
    merge(results, runner.run(plan.backward[s], given));
  }
  return results;
}

std::vector<NamedTensors> run_evaluation(const meta::EvaluationPlan& plan,
                                         const NamedTensors& inputs, ProgramRunner& runner) {
  std::vector<NamedTensors> results = {runner.run(plan.start, inputs)};
  for (const meta::Call& call : plan.steps) {
    NamedTensors given = inputs;
    merge(given, results.back());
    results.push_back(runner.run(call, given));
  }
  return results;
}

}  // namespace outerloop::reference
