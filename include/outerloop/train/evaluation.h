#pragma once
// Adapting to tasks that were not trained on, and the statistics of it.
//
// An evaluation is a pure function of (theta, protocol, seed, split, tasks): threads, the device
// and what ran before do not change a bit. Only products by a device's library may depend on the
// number of ranks.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "outerloop/base/thread_pool.h"
#include "outerloop/comm/communicator.h"
#include "outerloop/data/family.h"
#include "outerloop/exec/device.h"
#include "outerloop/exec/executable.h"
#include "outerloop/meta/plan.h"
#include "outerloop/optim/outer.h"
#include "outerloop/train/statistic.h"

namespace outerloop::train {

class DeviceData;

// After 0 … K inner steps.
struct EvaluationResult {
  std::vector<Statistic> loss;
  std::vector<Statistic> accuracy;            // classification only
  std::vector<int64_t> diverged;              // tasks whose loss is not finite or above the limit
  int64_t tasks = 0;                          // draws
  int64_t distinct = 0;                       // as in statistic()
  std::vector<std::string> names;             // of the distinct tasks, where they have any
  std::vector<std::vector<float>> task_loss;  // by step, by task
  std::vector<std::vector<float>> task_accuracy;  // the same
};

// The episode of a task of this shape; minibatches for so many inner steps.
data::EpisodeSpec episode_spec(const meta::TaskShape& shape, int64_t steps);

// One line per draw: the name of its task where it has one, loss and accuracy after 0 … K steps, as
// CSV.
std::string per_task_csv(const EvaluationResult& result);

// Softmax of one row of logits, in place.
void to_probabilities(std::span<float> row);
void to_probabilities(std::span<double> row);

// The class of the largest probability in a row; nothing where they are not finite.
std::optional<size_t> answered_class(std::span<const float> row);

// A learner compiled for tasks of one shape. Calls, const too, share its memory: one at a time.
class Evaluator {
 public:
  // The tasks of an evaluation are dealt to the ranks (null: this process alone), which makes
  // evaluate() and its kin collective; every rank gets the same result. Each computes its tasks on
  // its device, or without one on its threads. `device_data`: what the device has already of data
  // sets (MetaStep::device_data()).
  Evaluator(const meta::Learner& learner, const meta::TaskShape& shape, int64_t steps,
            std::shared_ptr<const data::TaskFamily> family, ThreadPool& pool,
            const exec::CompileOptions& compile = {}, comm::Communicator* ranks = nullptr,
            std::shared_ptr<exec::Device> device = nullptr,
            std::shared_ptr<DeviceData> device_data = nullptr);
  ~Evaluator();

  int64_t steps() const;
  // Copies; (layout elements,) as in layout_of(learner.parameters).
  void set_theta(const Tensor& flat);

  // Tasks are (seed, split, iteration 0, slot 0 … tasks-1).
  EvaluationResult evaluate(uint64_t seed, data::Split split, int64_t tasks,
                            double diverged_loss) const;
  // The same, ended early with nothing when `cancelled`, which one thread of each rank asks before
  // each of its tasks, or before those that its device computes side by side, says so on any rank.
  std::optional<EvaluationResult> evaluate_unless(const std::function<bool()>& cancelled,
                                                  uint64_t seed, data::Split split, int64_t tasks,
                                                  double diverged_loss) const;

  // Adapts to one episode that the caller filled (of the shape that this was made for) and gives
  // the answers for its query rows after 0 … K steps, each (query rows, outputs). Not with a
  // device.
  std::vector<Tensor> answer(const data::Episode& episode, uint64_t seed) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace outerloop::train
