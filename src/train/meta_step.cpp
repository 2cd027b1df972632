#include "outerloop/train/meta_step.h"

#include <algorithm>
#include <optional>

#include "outerloop/base/stopwatch.h"
#include "outerloop/comm/slot_tree.h"
#include "train/lane_runner.h"
#include "train/outer_update.h"
#include "train/rank_sum.h"

namespace outerloop::train {

MetaStepForecast forecast_meta_step(const config::Config& config, const meta::Learner& learner,
                                    const meta::TaskShape& shape, const data::TaskFamily& family,
                                    int64_t threads, const exec::CompileOptions& options) {
  CallCompiler compiler(options);
  const optim::ThetaLayout layout = layout_of(learner.parameters);
  const CompiledGradientPlan plan(meta::make_gradient_plan(learner, shape), compiler);
  const size_t lane_bytes = plan.workspace_bytes();
  const size_t worker_bytes =
      lane_bytes + plan_lane(plan, layout).bytes() + TaskInputs::bytes(family.spec());
  size_t bytes =
      plan.shared_bytes() + OuterUpdate::planned_bytes(config, layout, threads, compiler);
  for (const auto& [first, end] : dealt({0, config.outer.meta_batch}, threads)) {
    bytes += worker_bytes + comm::SlotAccumulator::bytes(layout.elements, first, end);
  }
  return {.flops_per_task = plan.flops_per_task().all,
          .steps_per_task = plan.steps_per_task(),
          .lane_bytes = lane_bytes,
          .buffer_bytes = bytes};
}

struct MetaStep::Impl {
  struct Worker {
    Worker(int64_t first, int64_t end, const CompiledGradientPlan& plan,
           const std::shared_ptr<const data::TaskFamily>& family, const optim::ThetaLayout& layout,
           const std::vector<meta::Measure>& learner_measures)
        : first_slot(first),
          end_slot(end),
          runner(plan, family, layout),
          sums(layout.elements, first, end) {
      for (const meta::Measure& m : learner_measures) measures.push_back(runner.measure(m.name));
    }

    int64_t first_slot;
    int64_t end_slot;
    LaneRunner runner;
    comm::SlotAccumulator sums;
    std::vector<const float*> measures;
    MetaStepTimes times;
  };

  Impl(const config::Config& c, const meta::Learner& l, const meta::TaskShape& shape,
       const std::shared_ptr<const data::TaskFamily>& family, ThreadPool& p,
       const exec::CompileOptions& options, comm::Communicator* all_ranks)
      : config(c),
        learner(l),
        pool(p),
        compiler(options),
        layout(layout_of(learner.parameters)),
        plan(meta::make_gradient_plan(learner, shape), compiler),
        update(config, learner.parameters, layout, pool, compiler) {
    bind_settings();
    const int64_t slots = config.outer.meta_batch;
    if (all_ranks != nullptr && all_ranks->size() > 1) {
      ranks.emplace(*all_ranks, pool, layout.elements, slots, result_width());
    }
    make_workers(family, ranks ? ranks->own_slots() : comm::Range{0, slots});
    results.resize(static_cast<size_t>(slots * result_width()));
    measure_means.resize(learner.measures.size());
  }

  // A task's result: loss, accuracy, whether it is finite, the learner's measures.
  enum { kLoss, kAccuracy, kFinite, kMeasures };
  int64_t result_width() const { return kMeasures + static_cast<int64_t>(learner.measures.size()); }
  std::span<float> result_of(int64_t slot) {
    const auto width = static_cast<size_t>(result_width());
    return std::span(results).subspan(static_cast<size_t>(slot) * width, width);
  }

  void make_workers(const std::shared_ptr<const data::TaskFamily>& family,
                    const comm::Range& slots) {
    for (const auto& [first, end] : dealt(slots, pool.size())) {
      workers.push_back(
          std::make_unique<Worker>(first, end, plan, family, layout, learner.measures));
    }
  }

  void bind_settings() {
    SharedInputs inputs = theta_inputs(update.state().theta.as<float>().data(), layout);
    if (learner.steps > 0) {
      multi_step_weights = Tensor(DType::f32, Shape{learner.steps});
      inputs["hyper/multi_step_weights"] = multi_step_weights.data();
    }
    plan.bind_shared(inputs);
  }

  void set_settings(int64_t iteration) {
    const int64_t epoch = iteration / std::max<int64_t>(config.outer.epoch, 1);
    // Only now and then: the weights come in a vector, and an iteration allocates nothing.
    if (learner.steps == 0 || epoch == weights_epoch) return;
    weights_epoch = epoch;
    const std::vector<double> weights =
        meta::multi_step_weights(epoch, config.learner.multi_step_loss_epochs, learner.steps);
    std::ranges::transform(weights, multi_step_weights.as<float>().begin(),
                           [](double w) { return static_cast<float>(w); });
  }

  template <bool kTimed>
  void work(Worker& worker, int64_t iteration) {
    worker.sums.clear();
    [[maybe_unused]] Stopwatch watch;
    const auto lap = [&]([[maybe_unused]] double& sum) {
      if constexpr (kTimed) sum += watch.lap();
    };
    for (int64_t slot = worker.first_slot; slot < worker.end_slot; ++slot) {
      worker.runner.draw({.seed = static_cast<uint64_t>(config.seed),
                          .split = data::Split::train,
                          .iteration = static_cast<uint64_t>(iteration),
                          .slot = static_cast<uint32_t>(slot)});
      lap(worker.times.draw);
      const TaskResult result = worker.runner.compute();
      const std::span<float> kept = result_of(slot);
      kept[kLoss] = result.loss;
      kept[kAccuracy] = result.accuracy;
      kept[kFinite] = result.finite ? 1.0f : 0.0f;
      for (size_t m = 0; m < worker.measures.size(); ++m) {
        kept[kMeasures + m] = *worker.measures[m];
      }
      lap(worker.times.compute);
      if (result.finite) {
        worker.sums.add(slot, worker.runner.gradient());
      } else {
        worker.sums.skip(slot);
      }
      lap(worker.times.reduce);
    }
  }

  void collect_nodes() {
    nodes.clear();
    for (const auto& worker : workers) {
      const auto part = worker->sums.nodes();
      nodes.insert(nodes.end(), part.begin(), part.end());
    }
  }

  MetaStepResult summarise() {
    MetaStepResult sum{.measures = measure_means};
    std::ranges::fill(measure_means, 0.0);
    for (int64_t slot = 0; slot < config.outer.meta_batch; ++slot) {
      const std::span<const float> result = result_of(slot);
      if (result[kFinite] == 0.0f) {
        ++sum.nonfinite;
        continue;
      }
      sum.loss += static_cast<double>(result[kLoss]);
      sum.accuracy += static_cast<double>(result[kAccuracy]);
      for (size_t m = 0; m < measure_means.size(); ++m) {
        measure_means[m] += static_cast<double>(result[kMeasures + m]);
      }
    }
    const auto count = static_cast<double>(config.outer.meta_batch - sum.nonfinite);
    if (count > 0) {
      sum.loss /= count;
      sum.accuracy /= count;
      for (double& mean : measure_means) mean /= count;
    }
    return sum;
  }

  MetaStepResult run(int64_t iteration, MetaStepTimes* times) {
    const Stopwatch since_start;
    set_settings(iteration);
    plan.refresh();
    pool.run([&](int thread) {
      Worker& worker = *workers[static_cast<size_t>(thread)];
      times != nullptr ? work<true>(worker, iteration) : work<false>(worker, iteration);
    });
    collect_nodes();
    const Stopwatch since_reduced;
    const std::span<const comm::SlotNode> tree =
        ranks ? ranks->gather(nodes, results) : std::span<const comm::SlotNode>(nodes);
    MetaStepResult result = summarise();
    const int64_t slots = config.outer.meta_batch;
    const int64_t present = slots - result.nonfinite;
    if (present > 0 && !update.apply(iteration, tree, present)) result.nonfinite = slots;
    if (times != nullptr) add_times(*times, since_start, since_reduced);
    return result;
  }

  void add_times(MetaStepTimes& times, const Stopwatch& since_start,
                 const Stopwatch& since_reduced) {
    MetaStepTimes busiest;
    for (auto& worker : workers) {
      busiest.draw = std::max(busiest.draw, worker->times.draw);
      busiest.compute = std::max(busiest.compute, worker->times.compute);
      busiest.reduce = std::max(busiest.reduce, worker->times.reduce);
      worker->times = {};
    }
    times.draw += busiest.draw;
    times.compute += busiest.compute;
    times.reduce += busiest.reduce;
    times.update += since_reduced.seconds();
    times.total += since_start.seconds();
  }

  config::Config config;
  meta::Learner learner;
  ThreadPool& pool;
  CallCompiler compiler;
  optim::ThetaLayout layout;
  CompiledGradientPlan plan;
  OuterUpdate update;
  Tensor multi_step_weights;
  int64_t weights_epoch = -1;  // that they are of
  std::vector<std::unique_ptr<Worker>> workers;
  std::optional<RankSum> ranks;       // where there are several
  std::vector<float> results;         // by slot, see result_of()
  std::vector<double> measure_means;  // of the last run
  std::vector<comm::SlotNode> nodes;
};

MetaStep::MetaStep(const config::Config& config, const meta::Learner& learner,
                   const meta::TaskShape& shape, std::shared_ptr<const data::TaskFamily> family,
                   ThreadPool& pool, const exec::CompileOptions& options, comm::Communicator* ranks)
    : impl_(std::make_unique<Impl>(config, learner, shape, family, pool, options, ranks)) {}
MetaStep::~MetaStep() = default;

const optim::ThetaLayout& MetaStep::layout() const {
  return impl_->layout;
}
const OuterState& MetaStep::state() const {
  return impl_->update.state();
}

void MetaStep::set_state(const OuterState& state) {
  impl_->update.set_state(state);
}

bool MetaStep::has_accuracy() const {
  return impl_->workers.front()->runner.has_accuracy();
}

MetaStepResult MetaStep::run(int64_t iteration, MetaStepTimes* times) {
  return impl_->run(iteration, times);
}

Flops MetaStep::flops_per_task() const {
  return impl_->plan.flops_per_task();
}
size_t MetaStep::steps_per_task() const {
  return impl_->plan.steps_per_task();
}
size_t MetaStep::planned_lane_bytes() const {
  return impl_->plan.workspace_bytes();
}

size_t MetaStep::buffer_bytes() const {
  size_t bytes = impl_->plan.shared_bytes() + impl_->update.bytes();
  if (impl_->ranks) bytes += impl_->ranks->bytes();
  for (const auto& worker : impl_->workers) {
    bytes += worker->runner.buffer_bytes() + worker->sums.bytes() + impl_->plan.workspace_bytes();
  }
  return bytes;
}

std::vector<exec::StepTime> MetaStep::profile(int64_t iteration, int repeats) {
  LaneRunner& runner = impl_->workers.front()->runner;
  impl_->plan.refresh();
  runner.draw({.seed = static_cast<uint64_t>(impl_->config.seed),
               .iteration = static_cast<uint64_t>(iteration)});
  std::vector<exec::StepTime> times;
  for (int i = 0; i < repeats; ++i) runner.profile(times);
  for (exec::StepTime& time : times) time.seconds /= repeats;
  return times;
}

}  // namespace outerloop::train
