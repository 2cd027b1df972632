#include "train/thread_evaluation.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "outerloop/base/error.h"

namespace outerloop::train {
namespace {

constexpr int64_t kTasksOfRound = 64;  // of each thread

}  // namespace

// One thread's chain of calls.
class ThreadEvaluation::Lane {
 public:
  Lane(const LanePlan& plan, const std::vector<CompiledCall>& calls, const data::EpisodeSpec& spec,
       size_t workspace_bytes)
      : memory_(plan, spec, workspace_bytes) {
    for (size_t k = 0; k < calls.size(); ++k) {
      const LanePlan::Wires& wires = plan.calls[k];
      calls_.push_back(memory_.instance(wires, calls[k]));
      losses_.push_back(memory_.number(wires.outputs.at("loss")));
      if (spec.classification) {
        accuracies_.push_back(memory_.number(wires.outputs.at("accuracy")));
      }
      predictions_.push_back(memory_.buffer(wires.outputs.at("prediction").buffer));
    }
  }

  TaskInputs& inputs() { return memory_.inputs(); }
  void run() {
    for (exec::Instance& call : calls_) call.run();
  }
  void give(size_t task, EvaluationResult& result) const {
    for (size_t k = 0; k < losses_.size(); ++k) result.task_loss[k][task] = *losses_[k];
    for (size_t k = 0; k < accuracies_.size(); ++k) result.task_accuracy[k][task] = *accuracies_[k];
  }
  std::vector<Tensor> answers() const {
    std::vector<Tensor> copies;
    for (const Tensor& prediction : predictions_) copies.push_back(prediction.clone());
    return copies;
  }

 private:
  LaneMemory memory_;
  std::vector<exec::Instance> calls_;
  std::vector<const float*> losses_;
  std::vector<const float*> accuracies_;  // of classification
  std::vector<Tensor> predictions_;
};

ThreadEvaluation::ThreadEvaluation(const EvaluationWork& work, ThreadPool& pool,
                                   const exec::CompileOptions& compile)
    : family_(work.family), pool_(pool), theta_(DType::f32, Shape{work.layout.elements}) {
  const LanePlan plan = plan_lane(work.plan);
  CallCompiler compiler(compile);
  const SharedInputs inputs = theta_inputs(theta_.as<float>().data(), work.layout);
  size_t workspace = 0;
  for (const LanePlan::Wires& wires : plan.calls) {
    CompiledCall& call = calls_.emplace_back(wires.call, compiler);
    call.bind_shared(inputs);
    workspace = std::max(workspace, call.executable().lane_arena_bytes());
  }
  for (int t = 0; t < pool_.size(); ++t) {
    lanes_.push_back(std::make_unique<Lane>(plan, calls_, family_->spec(), workspace));
  }
}
ThreadEvaluation::~ThreadEvaluation() = default;

void ThreadEvaluation::set_theta(const Tensor& flat) {
  OL_ASSERT(flat.bytes() == theta_.bytes(), "theta of another layout");
  std::memcpy(theta_.data(), flat.data(), flat.bytes());
  for (CompiledCall& call : calls_) call.refresh();
}

int64_t ThreadEvaluation::prepare(int64_t /*tasks*/) {
  return kTasksOfRound * pool_.size();
}

bool ThreadEvaluation::run(const data::TaskKey& key, const comm::Range& slots,
                           const std::function<bool()>& cancelled, EvaluationResult& result) {
  std::atomic<bool> ended = false;
  pool_.run([&](int thread) {
    Lane& lane = *lanes_[static_cast<size_t>(thread)];
    data::TaskKey own = key;
    for (int64_t task = slots.first + thread; task < slots.end; task += pool_.size()) {
      if (thread == 0 && cancelled && cancelled()) ended = true;
      if (ended) break;
      own.slot = static_cast<uint32_t>(task);
      lane.inputs().draw(*family_, own);
      lane.run();
      lane.give(static_cast<size_t>(task), result);
    }
  });
  return !ended;
}

std::vector<Tensor> ThreadEvaluation::answer(const data::Episode& episode, uint64_t seed) {
  Lane& lane = *lanes_.front();
  lane.inputs().copy(episode, {.seed = seed, .split = data::Split::test});
  lane.run();
  return lane.answers();
}

}  // namespace outerloop::train
