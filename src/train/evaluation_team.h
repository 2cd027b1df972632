#pragma once
// Who adapts to the tasks of an evaluation: a rank's threads (thread_evaluation.h) or its device
// (device_evaluation.h). Both give the same bits.

#include <functional>
#include <memory>

#include "outerloop/comm/exchange_plan.h"
#include "outerloop/meta/plan.h"
#include "outerloop/optim/outer.h"
#include "outerloop/train/evaluation.h"

namespace outerloop::train {

// What every task of an evaluation asks for.
struct EvaluationWork {
  const meta::EvaluationPlan& plan;
  const optim::ThetaLayout& layout;
  std::shared_ptr<const data::TaskFamily> family;
};

class EvaluationTeam {
 public:
  virtual ~EvaluationTeam() = default;

  // Copies.
  virtual void set_theta(const Tensor& flat) = 0;
  // For evaluations of so many tasks of each rank. Returns how many of them go between two
  // questions to the other ranks whether to go on.
  virtual int64_t prepare(int64_t tasks) = 0;
  // Fills in what the tasks of these slots give. `key`: all but the slot. False when cancelled,
  // which the calling thread asks for; `cancelled` may be empty.
  virtual bool run(const data::TaskKey& key, const comm::Range& slots,
                   const std::function<bool()>& cancelled, EvaluationResult& result) = 0;
};

}  // namespace outerloop::train
