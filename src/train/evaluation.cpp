#include "outerloop/train/evaluation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "outerloop/base/csv_field.h"
#include "outerloop/base/error.h"
#include "outerloop/comm/agreement.h"
#include "outerloop/train/theta.h"
#include "train/device_evaluation.h"
#include "train/slot_plan.h"
#include "train/thread_evaluation.h"

namespace outerloop::train {

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
  std::string text = result.names.empty() ? "task" : "task,name";
  for (size_t k = 0; k < result.task_loss.size(); ++k) text += fmt::format(",loss_{}", k);
  for (size_t k = 0; k < result.task_accuracy.size(); ++k) text += fmt::format(",accuracy_{}", k);
  for (size_t task = 0; task < static_cast<size_t>(result.tasks); ++task) {
    text += fmt::format("\n{}", task);
    if (!result.names.empty()) text += "," + csv_field(result.names[task % result.names.size()]);
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

std::optional<size_t> answered_class(std::span<const float> row) {
  if (!std::ranges::all_of(row, [](float p) { return std::isfinite(p); })) return std::nullopt;
  return static_cast<size_t>(std::ranges::max_element(row) - row.begin());
}

struct Evaluator::Impl {
  Impl(const meta::Learner& learner, const meta::TaskShape& shape, int64_t steps,
       std::shared_ptr<const data::TaskFamily> f, ThreadPool& pool,
       const exec::CompileOptions& compile, comm::Communicator* all_ranks,
       std::shared_ptr<exec::Device> device, std::shared_ptr<DeviceData> device_data)
      : family(std::move(f)),
        ranks(all_ranks != nullptr && all_ranks->size() > 1 ? all_ranks : nullptr),
        classification(shape.classification),
        times(static_cast<size_t>(steps) + 1) {
    const meta::EvaluationPlan plan = meta::make_evaluation_plan(learner, shape, steps);
    const optim::ThetaLayout layout = layout_of(learner.parameters);
    const EvaluationWork work{plan, layout, family};
    if (device) {
      team = std::make_unique<DeviceEvaluation>(work, std::move(device), std::move(device_data),
                                                compile.passes);
    } else {
      auto own_threads = std::make_unique<ThreadEvaluation>(work, pool, compile);
      threads = own_threads.get();
      team = std::move(own_threads);
    }
  }

  std::optional<EvaluationResult> evaluate(const std::function<bool()>& cancelled, uint64_t seed,
                                           data::Split split, int64_t tasks, double diverged_loss) {
    EvaluationResult result{
        .tasks = tasks, .distinct = family->tasks(split), .names = family->task_names(split)};
    const auto count = static_cast<size_t>(tasks);
    result.task_loss.assign(times, std::vector<float>(count));
    if (classification) result.task_accuracy.assign(times, std::vector<float>(count));
    const std::vector<comm::Range> parts = dealt({0, tasks}, ranks ? ranks->size() : 1);
    const comm::Range own = parts[static_cast<size_t>(ranks ? ranks->rank() : 0)];
    // All ranks make as many rounds, so that they agree after each whether to go on.
    const int64_t most = (tasks + std::ssize(parts) - 1) / std::ssize(parts);
    const int64_t round = ranks ? prepared(most) : std::max(team->prepare(most), most);
    for (int64_t done = 0; done < most; done += round) {
      const comm::Range part{own.first + std::min(done, own.size()),
                             own.first + std::min(done + round, own.size())};
      if (!agreed(team->run({.seed = seed, .split = split}, part, cancelled, result))) {
        return std::nullopt;
      }
    }
    if (ranks) gather(parts, result);
    for (size_t k = 0; k < times; ++k) summarise(result, k, diverged_loss);
    return result;
  }

  int64_t prepared(int64_t tasks) const {
    int64_t round = 0;
    comm::fail_together(*ranks, "evaluation", [&] { round = team->prepare(tasks); });
    // Ranks of other hosts may have more threads, and so longer rounds.
    ranks->all_reduce("evaluation", std::span(&round, 1), comm::Reduction::min);
    return round;
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
  comm::Communicator* ranks;  // null: this process alone
  bool classification;
  size_t times;  // at which tasks are answered: before any step, and after each
  std::unique_ptr<EvaluationTeam> team;
  ThreadEvaluation* threads = nullptr;  // the team, where there is no device
};

Evaluator::Evaluator(const meta::Learner& learner, const meta::TaskShape& shape, int64_t steps,
                     std::shared_ptr<const data::TaskFamily> family, ThreadPool& pool,
                     const exec::CompileOptions& compile, comm::Communicator* ranks,
                     std::shared_ptr<exec::Device> device, std::shared_ptr<DeviceData> device_data)
    : impl_(std::make_unique<Impl>(learner, shape, steps, std::move(family), pool, compile, ranks,
                                   std::move(device), std::move(device_data))) {}
Evaluator::~Evaluator() = default;

int64_t Evaluator::steps() const {
  return static_cast<int64_t>(impl_->times) - 1;
}

void Evaluator::set_theta(const Tensor& flat) {
  impl_->team->set_theta(flat);
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
  OL_ASSERT(impl_->threads != nullptr, "a device gives no answers");
  return impl_->threads->answer(episode, seed);
}

}  // namespace outerloop::train
