#include "outerloop/train/meta_step.h"

#include <algorithm>
#include <optional>

#include "outerloop/base/stopwatch.h"
#include "outerloop/comm/agreement.h"
#include "outerloop/comm/slot_tree.h"
#include "train/device_rank_sum.h"
#include "train/device_steps.h"
#include "train/device_team.h"
#include "train/device_update.h"
#include "train/host_sum.h"
#include "train/rank_sum.h"
#include "train/self_check.h"
#include "train/slot_plan.h"
#include "train/task_results.h"
#include "train/thread_team.h"
#include "train/thread_update.h"

namespace outerloop::train {

MetaStepForecast forecast_meta_step(const config::Config& config, const meta::Learner& learner,
                                    const meta::TaskShape& shape, const data::TaskFamily& family,
                                    int64_t threads, const exec::CompileOptions& options) {
  CallCompiler compiler(options);
  const optim::ThetaLayout layout = layout_of(learner.parameters);
  const CompiledGradientPlan plan(meta::make_gradient_plan(learner, shape), compiler);
  const size_t lane_bytes = plan.workspace_bytes();
  const size_t worker_bytes =
      lane_bytes + plan_lane(plan.plan, layout).bytes() + TaskInputs::bytes(family.spec());
  size_t bytes =
      plan.shared_bytes() + ThreadUpdate::planned_bytes(config, layout, threads, compiler);
  const std::vector<comm::Range> parts = dealt({0, config.outer.meta_batch}, threads);
  for (size_t thread = 0; thread < parts.size(); ++thread) {
    const auto& [first, end] = parts[thread];
    bytes += worker_bytes + comm::SlotAccumulator::bytes(layout.elements, first, end);
    if (thread > 0) bytes += SlotWorker::bytes_ahead(family.spec(), end - first);
  }
  return {.flops_per_task = plan.flops_per_task().all,
          .kernel_calls_per_task = plan.kernel_calls_per_task(),
          .lane_bytes = lane_bytes,
          .buffer_bytes = bytes};
}

struct MetaStep::Impl {
  Impl(const config::Config& c, const meta::Learner& l, const meta::TaskShape& shape,
       const std::shared_ptr<const data::TaskFamily>& family, ThreadPool& pool,
       const exec::CompileOptions& options, comm::Communicator* all_ranks,
       const std::shared_ptr<exec::Device>& device, comm::DeviceRanks* device_ranks)
      : config(c),
        learner(l),
        compiler(options),
        layout(layout_of(learner.parameters)),
        communicator(all_ranks),
        results(config.outer.meta_batch, learner.measures.size()) {
    const meta::GradientPlan plan = meta::make_gradient_plan(learner, shape);
    OuterState start = initial_state(config, learner.parameters, layout);
    const SharedInputs shared = shared_inputs(start);
    const TeamWork work{plan, shared, family, layout, learner.measures};
    const std::vector<comm::Range> groups = parameter_groups(layout);
    std::unique_ptr<GradientSum> sum =
        device
            ? make_on_device(device, device_ranks, options.passes, work, groups, std::move(start))
            : make_on_threads(pool, work, groups, std::move(start));
    hashes.slots.resize(static_cast<size_t>(results.slots()));
    hashes.gradients.resize(layout.entries.size());
    hashes.state.resize(layout.entries.size());
    // The time of a device goes with the number of slots: there are no rounds of threads. It is
    // known where the host waits for the device.
    constexpr int64_t kRest = 2048;
    const RankSum::Speed speed{.at_once = device ? 1 : pool.size(), .rest = device ? kRest : 0};
    if (sum) join(*all_ranks, speed, groups, std::move(sum));
    team->deal(ranks ? ranks->own_slots() : comm::Range{0, results.slots()});
  }

  bool is_alone() const { return communicator == nullptr || communicator->size() == 1; }

  // The update, the team and what sums between the ranks, null where this one is alone.
  std::unique_ptr<GradientSum> make_on_device(const std::shared_ptr<exec::Device>& device,
                                              comm::DeviceRanks* device_ranks,
                                              const passes::Options& passes, const TeamWork& work,
                                              std::span<const comm::Range> groups,
                                              OuterState start) {
    on_device.emplace(device, std::move(start));
    if (!is_alone()) between_devices = device_ranks;
    auto device_update = std::make_unique<DeviceUpdate>(config, learner.parameters, layout,
                                                        *on_device, between_devices);
    auto device_team = std::make_unique<DeviceTeam>(
        work, *on_device, passes, is_alone() ? device_update->sum().data() : nullptr);
    device_data = device_team->plan().device_data();
    std::unique_ptr<GradientSum> sum;
    if (!is_alone()) {
      OL_ASSERT(between_devices != nullptr, "the ranks' devices are not connected");
      sum = std::make_unique<DeviceRankSum>(*between_devices, *on_device, groups,
                                            device_update->sum_and_count());
    }
    make_steps = [this, t = device_team.get(), u = device_update.get(), n = groups.size()] {
      std::optional<DevicePeers> peers;
      if (ranks) peers.emplace(DevicePeers{*ranks, *between_devices, n});
      steps.emplace(config.outer, layout, learner.measures, *t, *u, peers);
    };
    bytes = [held = device] { return held->held_bytes(); };
    update = std::move(device_update);
    team = std::move(device_team);
    return sum;
  }

  std::unique_ptr<GradientSum> make_on_threads(ThreadPool& pool, const TeamWork& work,
                                               std::span<const comm::Range> groups,
                                               OuterState start) {
    auto thread_update = std::make_unique<ThreadUpdate>(config, learner.parameters, layout, pool,
                                                        compiler, std::move(start));
    auto thread_team = std::make_unique<ThreadTeam>(work, pool, compiler);
    auto sum = is_alone() ? nullptr : std::make_unique<HostSum>(*communicator, pool, groups);
    bytes = [u = thread_update.get(), t = thread_team.get(), s = sum.get()] {
      return u->bytes() + t->bytes() + (s != nullptr ? s->bytes() : 0);
    };
    update = std::move(thread_update);
    team = std::move(thread_team);
    return sum;
  }

  void join(comm::Communicator& all_ranks, const RankSum::Speed& speed,
            std::span<const comm::Range> groups, std::unique_ptr<GradientSum> sum) {
    order = team->order(groups);
    ranks.emplace(all_ranks, all_take_any_slots(all_ranks) ? std::optional(speed) : std::nullopt,
                  config.runtime.reduction, results, std::move(sum));
    if (ranks->ordered()) begin_group = [this](size_t place) { begin(place); };
  }

  // Sums of other slots are other kernels of a device.
  bool all_take_any_slots(comm::Communicator& all_ranks) {
    if (!on_device) return true;
    int64_t all = on_device->device().compiler().takes_any ? 1 : 0;
    all_ranks.all_reduce("kernels", std::span(&all, 1), comm::Reduction::min);
    return all != 0;
  }

  void begin(size_t place) {
    ranks->begin(order[place].group, team->nodes());
    ++begun;
  }
  // Those that the team did not tell of: beginning may wait for other ranks.
  void begin_rest() {
    while (ranks->ordered() && begun < order.size()) begin(begun);
  }

  // Theta keeps its place in memory.
  SharedInputs shared_inputs(const OuterState& start) {
    SharedInputs inputs = theta_inputs(start.theta.as<float>().data(), layout);
    if (learner.steps > 0) {
      multi_step_weights = Tensor(DType::f32, Shape{learner.steps});
      inputs["hyper/multi_step_weights"] = multi_step_weights.data();
    }
    return inputs;
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

  data::TaskKey task(int64_t iteration, int64_t slot) const {
    return {.seed = static_cast<uint64_t>(config.seed),
            .split = data::Split::train,
            .iteration = static_cast<uint64_t>(iteration),
            .slot = static_cast<uint32_t>(slot)};
  }

  // The tree over all ranks' slots, where they have others.
  std::span<const comm::SlotNode> finish_sum(int64_t iteration) {
    if (!ranks) return team->nodes();
    begin_rest();
    ranks->gather_results();
    if (results.any_late()) {
      ranks->drop();
      begun = 0;
      team->run(task(iteration, 0), results, order, {}, nullptr);
      begin_rest();
      ranks->gather_results();
    }
    return ranks->finish(team->nodes());
  }

  // ---- Hashes -----------------------------------------------------------------------------

  void hash_slots() {
    for (int64_t slot = 0; slot < results.slots(); ++slot) {
      hashes.slots[static_cast<size_t>(slot)] = results.of(slot).hash();
    }
  }

  SlotReplay recompute(int64_t iteration, int64_t slot) {
    set_settings(iteration);
    team->refresh();
    return team->replay(task(iteration, slot));
  }

  int64_t slot_to_check(int64_t iteration) const {
    return train::slot_to_check(config.runtime.self_check, results.slots(), iteration);
  }

  void check(int64_t iteration, int64_t slot) {
    const CheckedSlot checked{iteration, slot, ranks ? ranks->owner(slot) : 0};
    self_check(checked,
               {.own = [&](std::span<uint32_t> own) { team->hash_apart(own); },
                .computed_again = [&] { return recompute(iteration, slot).gradients; }},
               layout, communicator);
  }

  // ---- A step -----------------------------------------------------------------------------

  // How many steps from `first` on the device takes by itself, `most` of them: not those in which
  // somebody looks at the gradients on their way, or asks what the slots took.
  int64_t count_alone(int64_t first, int64_t most) {
    if (!on_device || hooked || slot_to_check(first) >= 0) return 0;
    if (ranks) most = std::min(most, ranks->resting());
    if (most == 0) return 0;
    most = std::min(most, most_at_once());
    // Settings go up before the first step alone: they are others in another epoch.
    if (config.outer.epoch > 0)
      most = std::min(most, config.outer.epoch - first % config.outer.epoch);
    int64_t count = 1;
    while (count < most && slot_to_check(first + count) < 0) ++count;
    return count;
  }

  int64_t most_at_once() {
    if (!on_device) return 1;
    if (!steps) {
      ranks ? comm::fail_together(*communicator, "steps", make_steps) : make_steps();
    }
    return steps->most();
  }

  void run(int64_t first, int64_t count, const MetaStep::Told& told, MetaStepTimes* times) {
    for (const int64_t end = first + count; first < end;) {
      const int64_t alone = count_alone(first, end - first);
      if (alone > 0) {
        run_alone(first, alone, told, times);
        first += alone;
      } else {
        const MetaStepResult result = run_stages(first, times);
        told(first++, result);
      }
    }
  }

  void run_alone(int64_t first, int64_t count, const MetaStep::Told& told, MetaStepTimes* times) {
    const Stopwatch watch;
    set_settings(first);
    team->refresh();
    steps->start(task(first, 0), count);
    for (int64_t i = 0; i < count; ++i) steps->step();
    steps->finish();
    if (ranks) {
      ranks->gather_results(count, [&](int64_t i) { steps->take(i, results, hashes); });
    }
    if (times != nullptr) {
      times->total += watch.seconds();
      times->compute += watch.seconds();
    }
    for (int64_t i = 0; i < count; ++i) {
      const bool made = steps->take(i, results, hashes);
      if (ranks) ranks->give_results(i);
      hash_slots();
      MetaStepResult result = results.summarise();
      if (!made) result.nonfinite = results.slots();
      told(first + i, result);
    }
    if (ranks) ranks->rested(count);
  }

  MetaStepResult run_stages(int64_t iteration, MetaStepTimes* times) {
    Stopwatch watch;
    const int64_t checked = slot_to_check(iteration);
    team->keep_apart(checked);
    set_settings(iteration);
    team->refresh();
    begun = 0;
    team->run(task(iteration, 0), results, order, begin_group, times);
    MetaStepTimes own{.total = watch.lap()};
    const std::span<const comm::SlotNode> tree = finish_sum(iteration);
    hash_slots();
    team->hash_gradients(hashes.gradients);
    MetaStepResult result = results.summarise();
    const int64_t present = results.slots() - result.nonfinite;
    // The update waits for the sum by itself.
    if (between_devices != nullptr && (checked >= 0 || present == 0)) between_devices->wait();
    if (checked >= 0) check(iteration, checked);
    own.reduce = watch.lap();
    if (present > 0 && !update->apply(iteration, tree, present)) result.nonfinite = results.slots();
    update->hash_state(hashes.state);
    own.update = watch.lap();
    if (times != nullptr) {
      times->reduce += own.reduce;
      times->update += own.update;
      times->total += own.total + own.reduce + own.update;
    }
    if (ranks && ranks->plan_again(own.total)) {
      steps.reset();
      team->deal(ranks->own_slots());
    }
    return result;
  }

  config::Config config;
  meta::Learner learner;
  CallCompiler compiler;
  optim::ThetaLayout layout;
  std::optional<DeviceState> on_device;  // where there is a device
  std::shared_ptr<DeviceData> device_data;
  std::unique_ptr<OuterUpdate> update;
  Tensor multi_step_weights;
  int64_t weights_epoch = -1;                    // that they are of
  comm::Communicator* communicator;              // null: this process alone
  comm::DeviceRanks* between_devices = nullptr;  // where several ranks have one each
  TaskResults results;
  std::unique_ptr<SlotTeam> team;
  // Where there is a device; made when they are first asked for.
  std::optional<DeviceSteps> steps;
  std::function<void()> make_steps;
  std::function<size_t()> bytes;  // as MetaStep::buffer_bytes()
  bool hooked = false;
  // Where there are several ranks.
  std::optional<RankSum> ranks;
  std::vector<FinalGroup> order;
  size_t begun = 0;            // of the order, in the step under way
  SlotTeam::Tell begin_group;  // where the sum is ordered
  StepHashes hashes;
};

MetaStep::MetaStep(const config::Config& config, const meta::Learner& learner,
                   const meta::TaskShape& shape,
                   const std::shared_ptr<const data::TaskFamily>& family, ThreadPool& pool,
                   const exec::CompileOptions& options, comm::Communicator* ranks,
                   const std::shared_ptr<exec::Device>& device, comm::DeviceRanks* device_ranks)
    : impl_(std::make_unique<Impl>(config, learner, shape, family, pool, options, ranks, device,
                                   device_ranks)) {}
MetaStep::~MetaStep() = default;

const optim::ThetaLayout& MetaStep::layout() const {
  return impl_->layout;
}
const OuterState& MetaStep::state() const {
  return impl_->update->state();
}

void MetaStep::set_state(const OuterState& state) {
  impl_->update->set_state(state);
}

bool MetaStep::has_accuracy() const {
  return impl_->team->has_accuracy();
}

MetaStepResult MetaStep::run(int64_t iteration, MetaStepTimes* times) {
  MetaStepResult only;
  impl_->run(
      iteration, 1, [&only](int64_t, const MetaStepResult& result) { only = result; }, times);
  return only;
}

int64_t MetaStep::most_at_once() const {
  return impl_->most_at_once();
}

void MetaStep::run(int64_t first, int64_t count, const Told& told, MetaStepTimes* times) {
  impl_->run(first, count, told, times);
}

const StepHashes& MetaStep::hashes() const {
  return impl_->hashes;
}

SlotReplay MetaStep::recompute(int64_t iteration, int64_t slot) {
  return impl_->recompute(iteration, slot);
}

void MetaStep::set_gradient_hook(const GradientHook& hook) {
  impl_->hooked = hook != nullptr;
  impl_->team->set_gradient_hook(hook);
}

std::shared_ptr<DeviceData> MetaStep::device_data() const {
  return impl_->device_data;
}

Flops MetaStep::flops_per_task() const {
  return impl_->team->flops_per_task();
}
size_t MetaStep::kernel_calls_per_task() const {
  return impl_->team->kernel_calls_per_task();
}
size_t MetaStep::planned_lane_bytes() const {
  return impl_->team->lane_bytes();
}

size_t MetaStep::device_traffic_bytes() const {
  return impl_->team->device_traffic_bytes();
}

size_t MetaStep::library_products() const {
  return impl_->team->library_products();
}

size_t MetaStep::buffer_bytes() const {
  return impl_->bytes();
}

std::vector<exec::StepTime> MetaStep::profile(int64_t iteration, int repeats) {
  impl_->team->refresh();
  return impl_->team->profile(impl_->task(iteration, 0), repeats);
}

}  // namespace outerloop::train
