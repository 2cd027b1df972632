#include <fmt/format.h>

#include "outerloop/base/error.h"
#include "outerloop/meta/plan.h"

namespace outerloop::meta {

void check_task(const Learner& learner, const TaskShape& shape, int64_t steps) {
  if (shape.support_rows < 1 || shape.query_rows < 1) {
    throw BadInput(fmt::format("a task needs support and query rows, got {} and {}",
                               shape.support_rows, shape.query_rows));
  }
  const int64_t outputs = learner.head_outputs;
  const bool fits =
      outputs < 0 || shape.outputs == outputs || (shape.classification && shape.outputs < outputs);
  if (!fits) {
    throw BadInput(fmt::format(
        "{}: the network's last layer has {} outputs, the task asks for {}; use a task of at most "
        "as many ways, or an algorithm without a fixed last layer (protonet, r2d2)",
        learner.algorithm, outputs, shape.outputs));
  }
  if (learner.most_steps >= 0 && steps > learner.most_steps) {
    throw BadInput(fmt::format(
        "{}: has parameters for {} inner steps, asked for {}; lower test.steps or train with more "
        "inner.steps",
        learner.algorithm, learner.most_steps, steps));
  }
  if (steps > 0 && !learner.step) {
    throw BadInput(fmt::format("{}: takes no inner steps, asked for {}", learner.algorithm, steps));
  }
  if (shape.minibatch_rows > 0 && steps == 0) {
    throw BadInput("minibatches of the support set need inner steps");
  }
}

}  // namespace outerloop::meta
