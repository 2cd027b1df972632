#pragma once
// Tasks of an evaluation on threads, each of which takes every so manieth.

#include <memory>
#include <vector>

#include "outerloop/base/thread_pool.h"
#include "train/compiled_call.h"
#include "train/evaluation_team.h"
#include "train/lane_memory.h"

namespace outerloop::train {

class ThreadEvaluation : public EvaluationTeam {
 public:
  ThreadEvaluation(const EvaluationWork& work, ThreadPool& pool,
                   const exec::CompileOptions& compile);
  ~ThreadEvaluation() override;

  void set_theta(const Tensor& flat) override;
  int64_t prepare(int64_t tasks) override;
  bool run(const data::TaskKey& key, const comm::Range& slots,
           const std::function<bool()>& cancelled, EvaluationResult& result) override;

  // As Evaluator::answer().
  std::vector<Tensor> answer(const data::Episode& episode, uint64_t seed);

 private:
  class Lane;

  std::shared_ptr<const data::TaskFamily> family_;
  ThreadPool& pool_;
  Tensor theta_;
  std::vector<CompiledCall> calls_;
  std::vector<std::unique_ptr<Lane>> lanes_;  // by thread
};

}  // namespace outerloop::train
