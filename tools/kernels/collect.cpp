#include "kernels/collect.h"

#include <fmt/format.h>

#include "exec/cuda/mega_source.h"
#include "outerloop/base/thread_pool.h"
#include "outerloop/train/meta_step.h"
#include "outerloop/train/setup.h"
#include "train/device_evaluation.h"
#include "train/device_steps.h"
#include "train/device_tasks.h"
#include "train/lane_plan.h"
#include "train/slot_plan.h"

namespace outerloop::kernels {
namespace {

static_assert(kMostShared == exec::cuda::MegaSource::kMostSharedBytes);

std::string text_of(const std::map<std::string, int>& graph) {
  std::string text;
  int all = 0;
  for (const auto& [kind, count] : graph) {
    text += fmt::format(", {} {}", kind, count);
    all += count;
  }
  return fmt::format("{}{}", all, text);
}

std::vector<std::string> calls_of(const train::Setup& setup,
                                  const std::shared_ptr<Recorder>& recorder) {
  std::vector<std::string> calls;
  const meta::GradientPlan plan = meta::make_gradient_plan(setup.learner, setup.train_shape);
  for (const train::PlacedCall& placed : train::calls_in_order(plan)) {
    const auto executable = exec::cuda::Executable::compile(*placed.call->program, recorder);
    calls.push_back(executable->block_bytes() > 0
                        ? fmt::format("one kernel, {} KiB", executable->block_bytes() / 1024)
                        : fmt::format("{} launches: {}",
                                      executable->shared_launches() + executable->lane_launches(),
                                      executable->why_not_one_kernel()));
  }
  return calls;
}

}  // namespace

void add_program(const Program& program, const std::shared_ptr<Recorder>& recorder) {
  const auto executable =
      exec::cuda::Executable::compile(program, recorder, {}, exec::cuda::Steps::one_by_one);
  exec::cuda::Lanes lanes(executable, 1);
  std::byte* const data = recorder->allocate(1).data;
  const auto inputs = static_cast<int>(executable->optimised().inputs.size());
  const auto outputs = static_cast<int>(executable->optimised().outputs.size());
  for (int i = 0; i < inputs; ++i) lanes.bind_input(i, data);
  for (int o = 0; o < outputs; ++o) lanes.bind_output(o, data, 0);
  lanes.run(recorder->make_stream());
}

void add_tasks(const std::shared_ptr<const data::TaskFamily>& family,
               const std::shared_ptr<Recorder>& recorder) {
  train::DeviceData device_data(recorder);
  const train::DeviceTasks tasks(recorder, device_data, family);
}

std::string add_training(const config::Resolved& resolved, const std::string& origin,
                         const std::shared_ptr<Recorder>& recorder, Launches* launches) {
  const config::Config& config = resolved.config;
  if (config::has_dataset(config)) {
    try {
      config::find_file(config.tasks.dataset, resolved.folder);
    } catch (const BadInput& missing) {
      return missing.what();
    }
  }
  const train::Setup setup = train::make_training_setup(resolved);
  const meta::EvaluationPlan test =
      meta::make_evaluation_plan(setup.learner, setup.test_shape, setup.test_steps);
  const exec::CompileOptions options = train::compile_options(config);
  ThreadPool pool(1);
  for (const size_t shared : {kMostShared, size_t{0}}) {
    recorder->begin(origin, shared);
    const train::MetaStep step(config, setup.learner, setup.train_shape, setup.train_tasks, pool,
                               options, nullptr, recorder);
    step.most_at_once();  // makes what steps launch
    if (launches != nullptr && shared == kMostShared) {
      launches->step = text_of(recorder->graph());
      launches->calls = calls_of(setup, recorder);
    }
    train::DeviceEvaluation({test, step.layout(), setup.test_tasks}, recorder, step.device_data(),
                            options.passes)
        .prepare(1);
    const exec::cuda::StepRow row{
        .parameters = static_cast<int64_t>(step.layout().entries.size()),
        .vectors = static_cast<int64_t>(1 + step.state().optimizer.size()),
        .measures = static_cast<int64_t>(setup.learner.measures.size()),
        .has_accuracy = step.has_accuracy()};
    for (const int64_t ranks : {2, 4, 8}) {
      for (const comm::Range& slots : train::dealt({0, config.outer.meta_batch}, ranks)) {
        train::DeviceSteps::make_kernels_with_peers(recorder, step.layout(), slots, row);
      }
    }
  }
  return "";
}

}  // namespace outerloop::kernels
