#include "outerloop/train/bench.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>

#include "outerloop/base/averages.h"
#include "outerloop/base/stopwatch.h"
#include "outerloop/comm/agreement.h"
#include "outerloop/config/choice.h"
#include "outerloop/exec/fma_peak.h"
#include "outerloop/train/meta_step.h"
#include "outerloop/train/setup.h"
#include "train/device_choice.h"
#include "train/device_connection.h"

namespace outerloop::train {
namespace {

constexpr int kBatches = 15;
constexpr int kBatchesOfParts = 5;

// A field of /proc/self/status in MiB.
double status_mib(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with(field + ":")) continue;
    std::istringstream words(line.substr(field.size() + 1));
    double kib = 0;
    words >> kib;
    return kib / 1024;
  }
  return 0;
}

// What was measured of a meta-step.
struct Measured {
  std::vector<double> seconds;       // per step, by batch
  std::vector<double> peaks;         // of the team; none where the ISA has no probe
  std::vector<MetaStepTimes> parts;  // of later batches: the clocks between parts take time
  int64_t steps = 0;                 // taken in all
  double launches = 0;               // of a device, per step
};

// All ranks take as many steps: those that the first one finds.
Measured measure(MetaStep& step, comm::Communicator& ranks, ThreadPool& pool, exec::Isa isa,
                 const exec::Device* device, double seconds) {
  Measured result{.steps = 1};  // the first step is past
  const auto batch = [&](int64_t steps) {
    const Stopwatch watch;
    step.run(result.steps, steps, [](int64_t, const MetaStepResult&) {});
    result.steps += steps;
    return watch.seconds() / static_cast<double>(steps);
  };
  // Ranks with a device each first find out how fast they are, step by step.
  if (device != nullptr && ranks.size() > 1) batch(16);
  const double guess = batch(2);
  auto per_batch = std::max<int64_t>(1, static_cast<int64_t>(seconds / kBatches / guess));
  ranks.broadcast("steps", std::span(&per_batch, 1), 0);
  const size_t launched = device != nullptr ? device->launched_kernels() : 0;
  for (int i = 0; i < kBatches; ++i) {
    result.seconds.push_back(batch(per_batch));
    if (isa != exec::Isa::scalar && i % 5 == 0)
      result.peaks.push_back(measure_peak(ranks, pool, isa));
  }
  if (device != nullptr) {
    result.launches = static_cast<double>(device->launched_kernels() - launched) /
                      static_cast<double>(kBatches * per_batch);
  }
  per_batch = std::max<int64_t>(1, per_batch / 2);
  for (int i = 0; i < kBatchesOfParts; ++i) {
    step.run(
        result.steps, per_batch, [](int64_t, const MetaStepResult&) {},
        &result.parts.emplace_back());
    result.steps += per_batch;
  }
  return result;
}

void add_speeds(MetaStepBench& bench, const Measured& measured) {
  bench.seconds_per_step = median(measured.seconds);
  bench.meta_steps_per_s = 1 / bench.seconds_per_step;
  bench.tasks_per_s = bench.meta_steps_per_s * static_cast<double>(bench.meta_batch);
  bench.gflops = bench.tasks_per_s * bench.flops_per_task / 1e9;
  bench.dense_gflops = bench.tasks_per_s * bench.dense_flops_per_task / 1e9;
  bench.gbytes_per_s = bench.tasks_per_s * bench.traffic_bytes_per_task / 1e9;
  bench.launches_per_step = measured.launches;
  if (!measured.peaks.empty()) {
    bench.fma_peak_gflops = median(measured.peaks);
    bench.fraction_of_peak = bench.dense_gflops / bench.fma_peak_gflops;
  }
  const auto share = [&](double MetaStepTimes::*part) {
    std::vector<double> shares;
    for (const MetaStepTimes& times : measured.parts) shares.push_back(times.*part / times.total);
    return median(shares);
  };
  bench.share_draw = share(&MetaStepTimes::draw);
  bench.share_compute = share(&MetaStepTimes::compute);
  bench.share_reduce = share(&MetaStepTimes::reduce);
  bench.share_update = share(&MetaStepTimes::update);
}

}  // namespace

double measure_peak(comm::Communicator& ranks, ThreadPool& pool, exec::Isa isa) {
  std::vector<double> peaks(static_cast<size_t>(pool.size()));
  pool.run([&](int thread) {
    peaks[static_cast<size_t>(thread)] = exec::measure_fma_peak(isa, DType::f32);
  });
  double sum = 0;
  for (const double peak : peaks) sum += peak;
  ranks.all_reduce("peak", std::span(&sum, 1), comm::Reduction::sum);
  return sum;
}

MetaStepBench bench_meta_step(const config::Resolved& resolved, const BenchOptions& options,
                              comm::Communicator& ranks) {
  const config::Config& config = resolved.config;
  std::optional<Setup> made;
  comm::fail_together(ranks, "data and tasks",
                      [&] { made.emplace(make_training_setup(resolved)); });
  const Setup& setup = *made;
  const exec::CompileOptions compile = compile_options(config);
  const std::shared_ptr<exec::Device> device =
      options.device != nullptr ? options.device : choose_device(config, &ranks);
  ThreadPool pool(static_cast<int>(config.runtime.threads),
                  device ? Pinning::none : Pinning::full_team);
  std::optional<DeviceConnection> between_devices;
  if (device && ranks.size() > 1) between_devices.emplace(ranks, device, comm::NcclOptions{});
  MetaStep step(config, setup.learner, setup.train_shape, setup.train_tasks, pool, compile, &ranks,
                device, between_devices ? &between_devices->ranks() : nullptr);
  step.run(0);
  MetaStepBench bench{.isa = std::string(exec::name_of(compile.isa)),
                      .device = name_of(device.get()),
                      .numerics = std::string(config::word(config.runtime.numerics)),
                      .ranks = ranks.size(),
                      .sums_by = sums_by(ranks, between_devices),
                      .threads = pool.size(),
                      .meta_batch = config.outer.meta_batch,
                      .inner_steps = setup.learner.steps,
                      .repeats = kBatches,
                      .flops_per_task = step.flops_per_task().all,
                      .dense_flops_per_task = step.flops_per_task().dense,
                      .traffic_bytes_per_task = static_cast<double>(step.device_traffic_bytes()),
                      .seconds_to_first_step = options.since_begin.seconds(),
                      .kernel_calls_per_task = static_cast<int64_t>(step.kernel_calls_per_task()),
                      .planned_lane_bytes = static_cast<int64_t>(step.planned_lane_bytes()),
                      .buffer_bytes = static_cast<int64_t>(step.buffer_bytes())};
  const Measured measured = measure(step, ranks, pool, device ? exec::Isa::scalar : compile.isa,
                                    device.get(), options.seconds);
  add_speeds(bench, measured);
  bench.resident_mib = status_mib("VmRSS");
  bench.peak_resident_mib = status_mib("VmHWM");
  if (device) bench.peak_device_bytes = static_cast<int64_t>(device->most_held_bytes());
  if (options.profile) bench.profile = step.profile(measured.steps, 200);
  if (between_devices) between_devices->ranks().finish();
  return bench;
}

}  // namespace outerloop::train
