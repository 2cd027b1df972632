#include "outerloop/train/meta_step.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <map>

#include "outerloop/base/error.h"
#include "outerloop/comm/slot_tree.h"
#include "train/lane_runner.h"

namespace outerloop::train {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

Tensor zeros(int64_t elements) {
  return Tensor(DType::f32, Shape{elements});
}

// One thread's share of the outer update: a range of elements with its own compiled program.
class UpdateShard {
 public:
  UpdateShard(const optim::OuterPlan& plan, std::shared_ptr<const exec::Executable> executable,
              int64_t begin, int64_t end)
      : begin_(begin),
        end_(end),
        plan_(plan),
        executable_(std::move(executable)),
        shared_(executable_),
        workspace_(executable_->lane_arena_bytes()),
        instance_(executable_, shared_, workspace_) {}

  int64_t begin() const { return begin_; }
  int64_t end() const { return end_; }
  size_t bytes() const {
    size_t bytes = executable_->lane_arena_bytes() + executable_->shared_arena_bytes();
    for (const Result& result : results_) bytes += result.value.bytes();
    return bytes;
  }

  void bind(OuterState& state, const Tensor& total, const Tensor& decay_mask,
            std::span<const float> scalars) {
    const Program& program = *plan_.update;
    const auto part = [&](const Tensor& tensor) {
      return const_cast<float*>(tensor.as<float>().data()) + begin_;
    };
    const auto find = [&](const std::string& name) -> float* {
      if (name == "theta") return part(state.theta);
      for (const io::NamedTensor& item : state.optimizer) {
        if (name == "state/" + item.name) return part(item.value);
      }
      return nullptr;
    };
    for (size_t i = 0; i < program.inputs.size(); ++i) {
      const std::string& name = program.inputs[i].name;
      const float* data = find(name);
      if (name == "gradient") data = part(total);
      if (name == "decay_mask") data = part(decay_mask);
      if (name == "rate") data = &scalars[0];
      if (name == "correction1") data = &scalars[1];
      if (name == "correction2") data = &scalars[2];
      OL_ASSERT(data != nullptr, "nobody gives the update's input " + name);
      shared_.bind_input(static_cast<int>(i), data);
      instance_.bind_input(static_cast<int>(i), data);
    }
    results_.clear();
    for (size_t o = 0; o < program.outputs.size(); ++o) {
      float* home = find(program.outputs[o].name);
      OL_ASSERT(home != nullptr, "nobody takes the update's output " + program.outputs[o].name);
      results_.push_back({home, zeros(end_ - begin_)});
      instance_.bind_output(static_cast<int>(o), results_.back().value.data());
    }
  }

  void run() {
    shared_.run();
    instance_.run();
    for (const Result& result : results_) {
      std::memcpy(result.home, result.value.data(), result.value.bytes());
    }
  }

 private:
  struct Result {
    float* home;
    Tensor value;
  };
  int64_t begin_;
  int64_t end_;
  optim::OuterPlan plan_;
  std::shared_ptr<const exec::Executable> executable_;
  exec::SharedState shared_;
  exec::Workspace workspace_;
  exec::Instance instance_;
  std::vector<Result> results_;
};

}  // namespace

struct MetaStep::Impl {
  struct Worker {
    Worker(int64_t first, int64_t end, const CompiledGradientPlan& plan,
           const std::shared_ptr<const data::TaskFamily>& family, const optim::ThetaLayout& layout)
        : first_slot(first),
          end_slot(end),
          runner(plan, family, layout),
          sums(layout.elements, std::max<int64_t>(end - first, 1)) {}

    int64_t first_slot;
    int64_t end_slot;
    LaneRunner runner;
    comm::SlotAccumulator sums;
    MetaStepTimes times;
  };

  Impl(const config::Config& c, const meta::Learner& l, const meta::TaskShape& shape,
       const std::shared_ptr<const data::TaskFamily>& family, ThreadPool& p,
       const exec::CompileOptions& options)
      : config(c),
        learner(l),
        pool(p),
        compiler(options),
        layout(layout_of(learner.parameters)),
        plan(meta::make_gradient_plan(learner, shape), compiler),
        total(zeros(layout.elements)),
        decay_mask(zeros(layout.elements)) {
    state.theta = initial_theta(learner.parameters, layout, static_cast<uint64_t>(config.seed));
    mark_decaying_weights();
    bind_settings();
    make_workers(family);
    make_shards();
    results.resize(static_cast<size_t>(config.outer.meta_batch));
  }

  void mark_decaying_weights() {
    for (const nn::ParameterSpec& spec : learner.parameters) {
      if (spec.role != nn::ParameterRole::weight) continue;
      const optim::ThetaEntry& entry = *layout.find(spec.name);
      std::ranges::fill(decay_mask.as<float>().subspan(static_cast<size_t>(entry.offset),
                                                       static_cast<size_t>(entry.shape.elements())),
                        1.0f);
    }
  }

  void make_workers(const std::shared_ptr<const data::TaskFamily>& family) {
    const int64_t slots = config.outer.meta_batch;
    const int64_t threads = pool.size();
    for (int64_t t = 0; t < threads; ++t) {
      const int64_t first = slots * t / threads;
      const int64_t end = slots * (t + 1) / threads;
      workers.push_back(std::make_unique<Worker>(first, end, plan, family, layout));
    }
  }

  // A norm over all elements cannot be cut; everything else is elementwise.
  void make_shards() {
    const int64_t pieces = config.outer.clip_norm ? 1 : pool.size();
    const int64_t blocks = layout.elements / optim::kThetaAlignment;
    for (int64_t t = 0; t < pool.size(); ++t) {
      const int64_t begin = std::min(t, pieces) * blocks / pieces * optim::kThetaAlignment;
      const int64_t end = std::min(t + 1, pieces) * blocks / pieces * optim::kThetaAlignment;
      if (begin == end) {
        shards.push_back(nullptr);
        continue;
      }
      const optim::OuterPlan update = optim::make_outer_plan(config.outer, end - begin);
      if (state.optimizer.empty()) {
        for (const std::string& name : update.state) {
          state.optimizer.push_back({name, zeros(layout.elements)});
          if (name == "ema") state.optimizer.back().value = state.theta.clone();
        }
      }
      shards.push_back(
          std::make_unique<UpdateShard>(update, shard_program(update, end - begin), begin, end));
      shards.back()->bind(state, total, decay_mask, scalars);
    }
  }

  std::shared_ptr<const exec::Executable> shard_program(const optim::OuterPlan& update,
                                                        int64_t elements) {
    auto& known = shard_programs[elements];
    if (!known) known = compiler.compile(update.update);
    return known;
  }

  void bind_settings() {
    SharedInputs inputs = theta_inputs(state.theta.as<float>().data(), layout);
    if (learner.steps > 0) {
      multi_step_weights = zeros(learner.steps);
      inputs["hyper/multi_step_weights"] = multi_step_weights.data();
    }
    plan.bind_shared(inputs);
  }

  void set_settings(int64_t iteration) {
    const optim::OuterScalars values = optim::outer_scalars(config.outer, iteration);
    scalars[0] = static_cast<float>(values.rate);
    scalars[1] = static_cast<float>(values.correction1);
    scalars[2] = static_cast<float>(values.correction2);
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
    Clock::time_point mark;
    const auto lap = [&](double& sum) {
      if constexpr (kTimed) {
        const Clock::time_point now = Clock::now();
        sum += std::chrono::duration<double>(now - mark).count();
        mark = now;
      }
    };
    if constexpr (kTimed) mark = Clock::now();
    for (int64_t slot = worker.first_slot; slot < worker.end_slot; ++slot) {
      worker.runner.draw({.seed = static_cast<uint64_t>(config.seed),
                          .split = data::Split::train,
                          .iteration = static_cast<uint64_t>(iteration),
                          .slot = static_cast<uint32_t>(slot)});
      lap(worker.times.draw);
      const TaskResult result = worker.runner.compute();
      results[static_cast<size_t>(slot)] = result;
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

  void update(UpdateShard& shard, float scale) {
    comm::finish_tree(nodes, shard.begin(), shard.end(), total.as<float>());
    float* sum = total.as<float>().data();
    for (int64_t i = shard.begin(); i < shard.end(); ++i) sum[i] *= scale;
    shard.run();
  }

  MetaStepResult summarise() const {
    MetaStepResult sum;
    for (const TaskResult& result : results) {
      if (!result.finite) {
        ++sum.nonfinite;
        continue;
      }
      sum.loss += static_cast<double>(result.loss);
      sum.accuracy += static_cast<double>(result.accuracy);
    }
    const auto count = static_cast<double>(results.size()) - static_cast<double>(sum.nonfinite);
    if (count > 0) {
      sum.loss /= count;
      sum.accuracy /= count;
    }
    return sum;
  }

  MetaStepResult run(int64_t iteration, MetaStepTimes* times) {
    const Clock::time_point start = Clock::now();
    set_settings(iteration);
    plan.refresh();
    pool.run([&](int thread) {
      Worker& worker = *workers[static_cast<size_t>(thread)];
      times != nullptr ? work<true>(worker, iteration) : work<false>(worker, iteration);
    });
    const MetaStepResult result = summarise();
    const auto present = static_cast<float>(results.size()) - static_cast<float>(result.nonfinite);
    collect_nodes();
    const Clock::time_point reduced = Clock::now();
    if (present > 0) {
      pool.run([&](int thread) {
        UpdateShard* shard = shards[static_cast<size_t>(thread)].get();
        if (shard != nullptr) update(*shard, 1.0f / present);
      });
    }
    if (times != nullptr) add_times(*times, start, reduced);
    return result;
  }

  void add_times(MetaStepTimes& times, Clock::time_point start, Clock::time_point reduced) {
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
    times.update += seconds_since(reduced);
    times.total += seconds_since(start);
  }

  config::Config config;
  meta::Learner learner;
  ThreadPool& pool;
  CallCompiler compiler;
  optim::ThetaLayout layout;
  CompiledGradientPlan plan;
  OuterState state;
  Tensor total;  // the mean meta-gradient
  Tensor decay_mask;
  Tensor multi_step_weights;
  int64_t weights_epoch = -1;  // that they are of
  std::array<float, 3> scalars{};
  std::vector<std::unique_ptr<Worker>> workers;
  std::vector<std::unique_ptr<UpdateShard>> shards;  // by thread; null: nothing to do
  std::map<int64_t, std::shared_ptr<const exec::Executable>> shard_programs;
  std::vector<TaskResult> results;  // by slot
  std::vector<comm::SlotNode> nodes;
};

MetaStep::MetaStep(const config::Config& config, const meta::Learner& learner,
                   const meta::TaskShape& shape, std::shared_ptr<const data::TaskFamily> family,
                   ThreadPool& pool, const exec::CompileOptions& options)
    : impl_(std::make_unique<Impl>(config, learner, shape, family, pool, options)) {}
MetaStep::~MetaStep() = default;

const optim::ThetaLayout& MetaStep::layout() const {
  return impl_->layout;
}
const OuterState& MetaStep::state() const {
  return impl_->state;
}

void MetaStep::set_state(const OuterState& state) {
  const auto copy = [](const Tensor& from, Tensor& to) {
    OL_ASSERT(from.bytes() == to.bytes(), "a state of another size");
    std::memcpy(to.data(), from.data(), to.bytes());
  };
  copy(state.theta, impl_->state.theta);
  OL_ASSERT(state.optimizer.size() == impl_->state.optimizer.size(), "another optimiser's state");
  for (size_t i = 0; i < state.optimizer.size(); ++i) {
    copy(state.optimizer[i].value, impl_->state.optimizer[i].value);
  }
}

MetaStepResult MetaStep::run(int64_t iteration, MetaStepTimes* times) {
  return impl_->run(iteration, times);
}

double MetaStep::flops_per_task() const {
  return impl_->plan.flops_per_task();
}
size_t MetaStep::steps_per_task() const {
  return impl_->plan.steps_per_task();
}
size_t MetaStep::planned_lane_bytes() const {
  return impl_->plan.workspace_bytes();
}

size_t MetaStep::buffer_bytes() const {
  size_t bytes = impl_->plan.shared_bytes();
  for (const auto& worker : impl_->workers) {
    bytes += worker->runner.buffer_bytes() + worker->sums.bytes() + impl_->plan.workspace_bytes();
  }
  for (const auto& shard : impl_->shards) bytes += shard ? shard->bytes() : 0;
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
