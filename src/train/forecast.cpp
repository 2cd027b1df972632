#include "outerloop/train/forecast.h"

#include <fmt/format.h>

#include "outerloop/train/meta_step.h"
#include "outerloop/train/setup.h"

namespace outerloop::train {
namespace {

double in_mib(int64_t bytes) {
  return static_cast<double>(bytes) / (1 << 20);
}

}  // namespace

MemoryForecast forecast_memory(const config::Resolved& resolved) {
  const Setup setup = make_training_setup(resolved);
  ThreadPool pool(static_cast<int>(resolved.config.runtime.threads));
  const MetaStepForecast step =
      forecast_meta_step(resolved.config, setup.learner, setup.train_shape, *setup.train_tasks,
                         pool.size(), compile_options(resolved.config));
  MemoryForecast forecast{.flops_per_task = step.flops_per_task,
                          .kernel_calls_per_task = static_cast<int64_t>(step.kernel_calls_per_task),
                          .lane_bytes = static_cast<int64_t>(step.lane_bytes),
                          .buffer_bytes = static_cast<int64_t>(step.buffer_bytes),
                          .threads = pool.size(),
                          .is_for_gpu = resolved.config.runtime.device == config::Device::cuda};
  const optim::ThetaLayout layout = layout_of(setup.learner.parameters);
  for (const optim::ThetaEntry& entry : layout.entries) {
    forecast.parameters += entry.shape.elements();
  }
  const optim::OuterPlan update = optim::make_outer_plan(resolved.config.outer, layout.elements);
  const auto vectors = static_cast<int64_t>(1 + update.state.size());
  forecast.checkpoint_bytes = vectors * layout.elements * int64_t{sizeof(float)};
  if (setup.data.images) {
    forecast.data_bytes = static_cast<int64_t>(setup.data.images->pixels.size());
  }
  if (setup.data.table) {
    forecast.data_bytes = static_cast<int64_t>(setup.data.table->x.size() * sizeof(float));
  }
  return forecast;
}

std::string describe(const MemoryForecast& f) {
  return fmt::format(
      "meta-parameters      {}\n"
      "work per task        {:.3f} MFLOP in {} kernel calls\n"
      "threads              {}\n"
      "arena per thread     {:.2f} MiB\n"
      "all task buffers     {:.2f} MiB, arenas of all threads included\n"
      "data set             {:.2f} MiB\n"
      "checkpoint           {:.2f} MiB\n"
      "{}",
      f.parameters, f.flops_per_task / 1e6, f.kernel_calls_per_task, f.threads,
      in_mib(f.lane_bytes), in_mib(f.buffer_bytes), in_mib(f.data_bytes),
      in_mib(f.checkpoint_bytes),
      f.is_for_gpu ? "buffers are those of threads: what a GPU holds, `outerloop bench meta-step` "
                     "measures on it\n"
                   : "");
}

}  // namespace outerloop::train
