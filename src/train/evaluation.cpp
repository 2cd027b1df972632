#include "outerloop/train/evaluation.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <numeric>

#include "outerloop/base/error.h"
#include "outerloop/train/theta.h"
#include "train/compiled_call.h"
#include "train/slot_plan.h"
#include "train/task_inputs.h"

namespace outerloop::train {
namespace {

// Of each thread, between two questions to the other ranks whether to go on.
constexpr int64_t kTasksOfRound = 64;

// One thread's chain of calls: the start, then one per step.
class EvaluationLane {
 public:
  EvaluationLane(const std::vector<CompiledCall>& calls, const data::EpisodeSpec& spec,
                 size_t workspace_bytes)
      : workspace_(workspace_bytes), inputs_(spec), measures_(calls.size()) {
    for (size_t k = 0; k < calls.size(); ++k) wire(calls[k], k);
  }

  TaskInputs& inputs() { return inputs_; }
  void run() {
    for (exec::Instance& call : calls_) call.run();
  }
  float loss(size_t step) const { return *measures_[step].loss; }
  float accuracy(size_t step) const { return *measures_[step].accuracy; }
  const Tensor& prediction(size_t step) const { return measures_[step].prediction; }

 private:
  struct Measures {
    const float* loss = nullptr;
    const float* accuracy = nullptr;
    Tensor prediction;
  };

  // States of neighbouring steps alternate between two buffers. The first step may start from
  // theta itself and not read one.
  std::byte* state(size_t border, const std::string& name, const TensorType& type) {
    for (auto& [place, known, tensor] : states_) {
      if (place == border % 2 && known == name) return tensor.data();
    }
    states_.push_back({border % 2, name, Tensor(type.dtype, type.shape)});
    return std::get<2>(states_.back()).data();
  }

  void wire(const CompiledCall& call, size_t k) {
    const auto input = [&](const std::string& name, const TensorType& type) -> const void* {
      if (const void* task = inputs_.find(name, type, call.call().first_step)) return task;
      OL_ASSERT(name.starts_with("state/"), "nobody gives the input " + name);
      return state(k, name, type);
    };
    const auto output = [&](const std::string& name, const TensorType& type) {
      if (name.starts_with("state/")) return state(k + 1, name, type);
      outputs_.emplace_back(type.dtype, type.shape);
      std::byte* memory = outputs_.back().data();
      const auto* scalar = reinterpret_cast<const float*>(memory);
      if (name == "loss") measures_[k].loss = scalar;
      if (name == "accuracy") measures_[k].accuracy = scalar;
      if (name == "prediction") measures_[k].prediction = outputs_.back();
      return memory;
    };
    calls_.push_back(call.instance(workspace_, input, output));
  }

  exec::Workspace workspace_;
  TaskInputs inputs_;
  std::vector<Measures> measures_;
  std::vector<std::tuple<size_t, std::string, Tensor>> states_;
  std::vector<Tensor> outputs_;
  std::vector<exec::Instance> calls_;
};

}  // namespace

data::EpisodeSpec episode_spec(const meta::TaskShape& shape, int64_t steps) {
  const auto rows_of = [&](int64_t rows) { return meta::with_rows(rows, shape.example); };
  const auto answers = [&](int64_t rows) {
    return shape.classification ? data::TensorSpec{DType::i32, Shape{rows}}
                                : data::TensorSpec{DType::f32, Shape{rows, shape.outputs}};
  };
  data::EpisodeSpec spec{.support_x = {DType::f32, rows_of(shape.support_rows)},
                         .support_y = answers(shape.support_rows),
                         .query_x = {DType::f32, rows_of(shape.query_rows)},
                         .query_y = answers(shape.query_rows),
                         .classification = shape.classification};
  if (shape.minibatch_rows > 0) {
    spec.minibatches = data::TensorSpec{DType::i32, Shape{steps, shape.minibatch_rows}};
  }
  return spec;
}

std::string per_task_csv(const EvaluationResult& result) {
  std::string text = "task";
  for (size_t k = 0; k < result.task_loss.size(); ++k) text += fmt::format(",loss_{}", k);
  for (size_t k = 0; k < result.task_accuracy.size(); ++k) text += fmt::format(",accuracy_{}", k);
  for (size_t task = 0; task < static_cast<size_t>(result.tasks); ++task) {
    text += fmt::format("\n{}", task);
    for (const auto& losses : result.task_loss) text += fmt::format(",{:.6g}", losses[task]);
    for (const auto& shares : result.task_accuracy) text += fmt::format(",{:.6g}", shares[task]);
  }
  return text + "\n";
}

namespace {

template <class T>
void soften(std::span<T> row) {
  const auto largest = static_cast<double>(*std::ranges::max_element(row));
  double sum = 0;
  for (const T logit : row) sum += std::exp(static_cast<double>(logit) - largest);
  for (T& value : row) {
    value = static_cast<T>(std::exp(static_cast<double>(value) - largest) / sum);
  }
}

}  // namespace

void to_probabilities(std::span<float> row) {
  soften(row);
}
void to_probabilities(std::span<double> row) {
  soften(row);
}

struct Evaluator::Impl {
  Impl(const meta::Learner& learner, const meta::TaskShape& shape, int64_t steps,
       std::shared_ptr<const data::TaskFamily> f, ThreadPool& p,
       const exec::CompileOptions& compile, comm::Communicator* all_ranks)
      : family(std::move(f)),
        pool(p),
        ranks(all_ranks != nullptr && all_ranks->size() > 1 ? all_ranks : nullptr),
        classification(shape.classification),
        layout(layout_of(learner.parameters)),
        theta(DType::f32, Shape{layout.elements}) {
    const meta::EvaluationPlan plan = meta::make_evaluation_plan(learner, shape, steps);
    CallCompiler compiler(compile);
    calls.emplace_back(plan.start, compiler);
    for (const meta::Call& step : plan.steps) calls.emplace_back(step, compiler);
    const SharedInputs inputs = theta_inputs(theta.as<float>().data(), layout);
    size_t workspace = 0;
    for (CompiledCall& call : calls) {
      call.bind_shared(inputs);
      workspace = std::max(workspace, call.executable().lane_arena_bytes());
    }
    for (int t = 0; t < pool.size(); ++t) {
      lanes.push_back(std::make_unique<EvaluationLane>(calls, family->spec(), workspace));
    }
  }

  std::optional<EvaluationResult> evaluate(const std::function<bool()>& cancelled, uint64_t seed,
                                           data::Split split, int64_t tasks,
                                           double diverged_loss) const {
    EvaluationResult result{.tasks = tasks, .distinct = family->tasks(split)};
    const auto count = static_cast<size_t>(tasks);
    result.task_loss.assign(calls.size(), std::vector<float>(count));
    if (classification) result.task_accuracy.assign(calls.size(), std::vector<float>(count));
    const std::vector<comm::Range> parts = dealt({0, tasks}, ranks ? ranks->size() : 1);
    const comm::Range own = parts[static_cast<size_t>(ranks ? ranks->rank() : 0)];
    // All ranks make as many rounds, so that they agree after each whether to go on.
    const int64_t most = (tasks + std::ssize(parts) - 1) / std::ssize(parts);
    const int64_t round = ranks ? kTasksOfRound * pool.size() : most;
    for (int64_t done = 0; done < most; done += round) {
      const comm::Range part{own.first + std::min(done, own.size()),
                             own.first + std::min(done + round, own.size())};
      if (!agreed(run_tasks(part, seed, split, cancelled, result))) return std::nullopt;
    }
    if (ranks) gather(parts, result);
    for (size_t k = 0; k < calls.size(); ++k) summarise(result, k, diverged_loss);
    return result;
  }

  // On all threads; false when cancelled.
  bool run_tasks(const comm::Range& part, uint64_t seed, data::Split split,
                 const std::function<bool()>& cancelled, EvaluationResult& result) const {
    std::atomic<bool> ended = false;
    const int64_t threads = pool.size();
    pool.run([&](int thread) {
      EvaluationLane& lane = *lanes[static_cast<size_t>(thread)];
      for (int64_t task = part.first + thread; task < part.end; task += threads) {
        if (thread == 0 && cancelled && cancelled()) ended = true;
        if (ended) break;
        lane.inputs().draw(
            *family,
            {.seed = seed, .split = split, .iteration = 0, .slot = static_cast<uint32_t>(task)});
        lane.run();
        const auto at = static_cast<size_t>(task);
        for (size_t k = 0; k < calls.size(); ++k) {
          result.task_loss[k][at] = lane.loss(k);
          if (classification) result.task_accuracy[k][at] = lane.accuracy(k);
        }
      }
    });
    return !ended;
  }

  // Whether all ranks go on.
  bool agreed(bool going_on) const {
    if (!ranks) return going_on;
    int64_t value = going_on ? 1 : 0;
    ranks->all_reduce("evaluation", std::span(&value, 1), comm::Reduction::min);
    return value == 1;
  }

  void gather(const std::vector<comm::Range>& parts, EvaluationResult& result) const {
    std::vector<int64_t> counts;
    for (const comm::Range& range : parts) counts.push_back(range.size());
    const comm::Range own = parts[static_cast<size_t>(ranks->rank())];
    for (auto* measure : {&result.task_loss, &result.task_accuracy}) {
      for (std::vector<float>& values : *measure) {
        const auto mine = std::span(values).subspan(static_cast<size_t>(own.first),
                                                    static_cast<size_t>(own.size()));
        ranks->all_gather_v("evaluation", mine, std::span(values), counts);
      }
    }
  }

  void summarise(EvaluationResult& result, size_t k, double diverged_loss) const {
    std::vector<uint8_t> diverged;
    for (float loss : result.task_loss[k]) {
      diverged.push_back(!std::isfinite(loss) || static_cast<double>(loss) > diverged_loss);
    }
    result.diverged.push_back(std::accumulate(diverged.begin(), diverged.end(), int64_t{0}));
    result.loss.push_back(statistic(result.task_loss[k], diverged, result.distinct));
    if (!classification) return;
    // A diverged classifier still answers: its accuracy counts.
    const std::vector<uint8_t> none(diverged.size(), 0);
    result.accuracy.push_back(statistic(result.task_accuracy[k], none, result.distinct));
  }

  std::shared_ptr<const data::TaskFamily> family;
  ThreadPool& pool;
  comm::Communicator* ranks;  // null: this process alone
  bool classification;
  optim::ThetaLayout layout;
  Tensor theta;
  std::vector<CompiledCall> calls;
  std::vector<std::unique_ptr<EvaluationLane>> lanes;
};

Evaluator::Evaluator(const meta::Learner& learner, const meta::TaskShape& shape, int64_t steps,
                     std::shared_ptr<const data::TaskFamily> family, ThreadPool& pool,
                     const exec::CompileOptions& compile, comm::Communicator* ranks)
    : impl_(
          std::make_unique<Impl>(learner, shape, steps, std::move(family), pool, compile, ranks)) {}
Evaluator::~Evaluator() = default;

int64_t Evaluator::steps() const {
  return static_cast<int64_t>(impl_->calls.size()) - 1;
}

void Evaluator::set_theta(const Tensor& flat) {
  OL_ASSERT(flat.bytes() == impl_->theta.bytes(), "theta of another layout");
  std::memcpy(impl_->theta.data(), flat.data(), flat.bytes());
  for (CompiledCall& call : impl_->calls) call.refresh();
}

EvaluationResult Evaluator::evaluate(uint64_t seed, data::Split split, int64_t tasks,
                                     double diverged_loss) const {
  return *evaluate_unless({}, seed, split, tasks, diverged_loss);
}

std::optional<EvaluationResult> Evaluator::evaluate_unless(const std::function<bool()>& cancelled,
                                                           uint64_t seed, data::Split split,
                                                           int64_t tasks,
                                                           double diverged_loss) const {
  return impl_->evaluate(cancelled, seed, split, tasks, diverged_loss);
}

std::vector<Tensor> Evaluator::answer(const data::Episode& episode, uint64_t seed) const {
  EvaluationLane& lane = *impl_->lanes.front();
  lane.inputs().copy(episode, {.seed = seed, .split = data::Split::test});
  lane.run();
  std::vector<Tensor> answers;
  for (size_t k = 0; k < impl_->calls.size(); ++k) answers.push_back(lane.prediction(k).clone());
  return answers;
}

}  // namespace outerloop::train
