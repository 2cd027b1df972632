#include "outerloop/train/meta_step.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <optional>

#include "outerloop/base/stopwatch.h"
#include "outerloop/comm/agreement.h"
#include "outerloop/comm/slot_tree.h"
#include "train/gradient_groups.h"
#include "train/outer_update.h"
#include "train/rank_sum.h"
#include "train/slot_plan.h"
#include "train/slot_worker.h"
#include "train/task_results.h"

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
  Impl(const config::Config& c, const meta::Learner& l, const meta::TaskShape& shape,
       const std::shared_ptr<const data::TaskFamily>& family, ThreadPool& p,
       const exec::CompileOptions& options, comm::Communicator* all_ranks)
      : config(c),
        learner(l),
        pool(p),
        compiler(options),
        layout(layout_of(learner.parameters)),
        parameter_ends(ends_of(layout)),
        plan(meta::make_gradient_plan(learner, shape), compiler),
        update(config, learner.parameters, layout, pool, compiler),
        communicator(all_ranks),
        results(config.outer.meta_batch, learner.measures.size()),
        worker_times(static_cast<size_t>(pool.size())) {
    bind_settings();
    hashes.slots.resize(static_cast<size_t>(results.slots()));
    hashes.gradients.resize(layout.entries.size());
    hashes.state.resize(layout.entries.size());
    bit_sums.resize(layout.entries.size());
    for (int t = 0; t < pool.size(); ++t) {
      workers.push_back(std::make_unique<SlotWorker>(plan, family, layout, learner.measures));
    }
    if (all_ranks != nullptr && all_ranks->size() > 1) join(*all_ranks);
    deal_to_threads(ranks ? ranks->own_slots() : comm::Range{0, results.slots()});
  }

  void join(comm::Communicator& all_ranks) {
    const std::vector<comm::Range> groups = parameter_groups(layout);
    order = order_of_groups(plan_lane(plan, layout), layout, groups);
    ranks.emplace(all_ranks, pool, config.runtime.reduction, groups, results);
    if (!ranks->ordered()) return;
    release = {.groups = order, .tell = [this](size_t place) { send_when_last(place); }};
    unfinished = std::vector<std::atomic<int>>(groups.size());
  }

  void deal_to_threads(const comm::Range& slots) {
    const std::vector<comm::Range> parts = dealt(slots, pool.size());
    for (size_t t = 0; t < workers.size(); ++t) workers[t]->deal(parts[t]);
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

  data::TaskKey task(int64_t iteration, int64_t slot) const {
    return {.seed = static_cast<uint64_t>(config.seed),
            .split = data::Split::train,
            .iteration = static_cast<uint64_t>(iteration),
            .slot = static_cast<uint32_t>(slot)};
  }

  // All slots of this rank on all its threads; its sums are in `nodes` then.
  void compute_slots(int64_t iteration, bool early, bool timed) {
    for (std::atomic<int>& threads : unfinished) threads = pool.size();
    const data::TaskKey key = task(iteration, 0);
    pool.run([&](int thread) {
      const auto t = static_cast<size_t>(thread);
      workers[t]->run(key, results, release, early, timed ? &worker_times[t] : nullptr);
    });
    collect_nodes();
  }

  void collect_nodes() {
    nodes.clear();
    for (const auto& worker : workers) {
      const auto part = worker->nodes();
      nodes.insert(nodes.end(), part.begin(), part.end());
    }
  }

  // Told by each thread, in the order of places: so the last ones come one after the other.
  void send_when_last(size_t place) {
    if (unfinished[place].fetch_sub(1, std::memory_order_acq_rel) > 1) return;
    collect_nodes();
    ranks->begin(order[place].group, nodes);
  }

  // The tree over all ranks' slots, where they have others.
  std::span<const comm::SlotNode> finish_sum(int64_t iteration) {
    if (!ranks) return nodes;
    ranks->gather_results();
    if (results.any_late()) {
      ranks->drop();
      compute_slots(iteration, /*early=*/false, /*timed=*/false);
      ranks->gather_results();
    }
    return ranks->finish(nodes);
  }

  // ---- Hashes -----------------------------------------------------------------------------

  void hash_gradients() {
    for (int64_t slot = 0; slot < results.slots(); ++slot) {
      hashes.slots[static_cast<size_t>(slot)] = results.of(slot).hash();
    }
    std::ranges::fill(bit_sums, LaneSums{});
    for (const auto& worker : workers) {
      for (size_t p = 0; p < bit_sums.size(); ++p) bit_sums[p] += worker->bit_sums()[p];
    }
    hash_each(bit_sums, hashes.gradients);
  }

  void hash_state() {
    std::ranges::fill(bit_sums, LaneSums{});
    const OuterState& state = update.state();
    add_bit_sums(state.theta.as<float>(), 0, parameter_ends, bit_sums);
    for (const io::NamedTensor& item : state.optimizer) {
      add_bit_sums(item.value.as<float>(), 0, parameter_ends, bit_sums);
    }
    hash_each(bit_sums, hashes.state);
  }

  SlotReplay recompute(int64_t iteration, int64_t slot) {
    set_settings(iteration);
    plan.refresh();
    return workers.front()->replay(task(iteration, slot));
  }

  // Every runtime.self_check iterations, another slot each time; else none, -1.
  int64_t slot_to_check(int64_t iteration) const {
    const int64_t every = config.runtime.self_check;
    if (every == 0 || (iteration + 1) % every != 0) return -1;
    return (iteration + 1) / every % results.slots();
  }

  // Collective. The rank behind the one that computed the slot does so too.
  void check(int64_t iteration, int64_t slot) {
    const size_t parameters = layout.entries.size();
    const int owner = ranks ? ranks->owner(slot) : 0;
    const int checker = ranks ? (owner + 1) % communicator->size() : 0;
    const int rank = ranks ? communicator->rank() : 0;
    std::vector<int64_t> both(2 * parameters);  // what they got; zeros elsewhere
    if (rank == owner) {
      std::ranges::fill(bit_sums, LaneSums{});
      for (const auto& worker : workers) {
        for (size_t p = 0; p < parameters; ++p) bit_sums[p] += worker->apart()[p];
      }
      std::vector<uint32_t> own(parameters);
      hash_each(bit_sums, own);
      std::ranges::copy(own, both.begin());
    }
    if (rank == checker) {
      std::ranges::copy(recompute(iteration, slot).gradients,
                        both.begin() + static_cast<std::ptrdiff_t>(parameters));
    }
    if (ranks) communicator->all_reduce("self-check", std::span(both), comm::Reduction::sum);
    for (size_t p = 0; p < parameters; ++p) {
      if (both[p] == both[parameters + p]) continue;
      refuse_gradient(iteration, slot, owner, checker, layout.entries[p].name);
    }
  }

  [[noreturn]] void refuse_gradient(int64_t iteration, int64_t slot, int owner, int checker,
                                    const std::string& parameter) const {
    const auto place = [&](int rank) {
      if (communicator == nullptr) return std::string("this process");
      return fmt::format("rank {} on {}", rank, communicator->hosts()[static_cast<size_t>(rank)]);
    };
    throw comm::AgreedFailure(fmt::format(
        "self-check: {} computed another gradient than {} at iteration {}, slot {}, first in "
        "tensor {}; one of them computes wrongly: test memory and processor there, and run the "
        "same command again elsewhere",
        place(owner), owner == checker ? "when it did so again" : place(checker), iteration + 1,
        slot, parameter));
  }

  // ---- A step -----------------------------------------------------------------------------

  MetaStepResult run(int64_t iteration, MetaStepTimes* times) {
    Stopwatch watch;
    const int64_t checked = slot_to_check(iteration);
    for (const auto& worker : workers) worker->keep_apart(checked);
    set_settings(iteration);
    plan.refresh();
    compute_slots(iteration, /*early=*/ranks && ranks->ordered(), times != nullptr);
    MetaStepTimes own{.total = watch.lap()};
    const std::span<const comm::SlotNode> tree = finish_sum(iteration);
    hash_gradients();
    if (checked >= 0) check(iteration, checked);
    own.reduce = watch.lap();
    MetaStepResult result = results.summarise();
    const int64_t present = results.slots() - result.nonfinite;
    if (present > 0 && !update.apply(iteration, tree, present)) result.nonfinite = results.slots();
    hash_state();
    own.update = watch.lap();
    if (times != nullptr) add_times(*times, own);
    if (ranks && ranks->plan_again(own.total)) deal_to_threads(ranks->own_slots());
    return result;
  }

  // `own`: of this thread, `total` up to its reduction.
  void add_times(MetaStepTimes& times, const MetaStepTimes& own) {
    MetaStepTimes busiest;
    for (MetaStepTimes& worker : worker_times) {
      busiest.draw = std::max(busiest.draw, worker.draw);
      busiest.compute = std::max(busiest.compute, worker.compute);
      worker = {};
    }
    times.draw += busiest.draw;
    times.compute += busiest.compute;
    times.reduce += own.reduce;
    times.update += own.update;
    times.total += own.total + own.reduce + own.update;
  }

  config::Config config;
  meta::Learner learner;
  ThreadPool& pool;
  CallCompiler compiler;
  optim::ThetaLayout layout;
  std::vector<int64_t> parameter_ends;
  CompiledGradientPlan plan;
  OuterUpdate update;
  Tensor multi_step_weights;
  int64_t weights_epoch = -1;        // that they are of
  comm::Communicator* communicator;  // null: this process alone
  std::vector<std::unique_ptr<SlotWorker>> workers;
  TaskResults results;
  std::vector<MetaStepTimes> worker_times;
  std::vector<comm::SlotNode> nodes;
  // Where there are several ranks.
  std::optional<RankSum> ranks;
  std::vector<FinalGroup> order;
  SlotWorker::Release release;
  std::vector<std::atomic<int>> unfinished;  // threads, by place in the order
  StepHashes hashes;
  std::vector<LaneSums> bit_sums;  // by parameter, for a moment
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
  return impl_->workers.front()->runner().has_accuracy();
}

MetaStepResult MetaStep::run(int64_t iteration, MetaStepTimes* times) {
  return impl_->run(iteration, times);
}

const StepHashes& MetaStep::hashes() const {
  return impl_->hashes;
}

SlotReplay MetaStep::recompute(int64_t iteration, int64_t slot) {
  return impl_->recompute(iteration, slot);
}

void MetaStep::set_gradient_hook(const GradientHook& hook) {
  for (const auto& worker : impl_->workers) worker->set_gradient_hook(hook);
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
    bytes += worker->bytes() + impl_->plan.workspace_bytes();
  }
  return bytes;
}

std::vector<exec::StepTime> MetaStep::profile(int64_t iteration, int repeats) {
  LaneRunner& runner = impl_->workers.front()->runner();
  impl_->plan.refresh();
  runner.draw({.seed = static_cast<uint64_t>(impl_->config.seed),
               .iteration = static_cast<uint64_t>(iteration)});
  std::vector<exec::StepTime> times;
  for (int i = 0; i < repeats; ++i) runner.profile(times);
  for (exec::StepTime& time : times) time.seconds /= repeats;
  return times;
}

}  // namespace outerloop::train
