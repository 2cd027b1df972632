#include "meta/program_cache.h"
#include "meta/segment.h"
#include "outerloop/ops/ops.h"

namespace outerloop::meta {

namespace {

void output_answers(Segment& segment) {
  const Task& task = segment.task();
  const Expr prediction =
      segment.learner().predict(segment.theta(), segment.state(segment.end()), segment.query());
  segment.builder().output("prediction", prediction);
  segment.builder().output("loss", loss_of(prediction, task.query_y, task.shape.classification));
  if (task.shape.classification) {
    segment.builder().output("accuracy", accuracy_of(prediction, task.query_y));
  }
}

}  // namespace

EvaluationPlan make_evaluation_plan(const Learner& learner, const TaskShape& shape, int64_t steps,
                                    DType dtype) {
  check_task(learner, shape, steps);
  ProgramCache cache;
  EvaluationPlan plan;
  Segment start(learner, shape, dtype, Mode{}, 0, 0);
  start.enter_at_start();
  output_answers(start);
  plan.start = cache.share(start.finish());

  ValueTypes state;
  for (int64_t k = 0; k < steps; ++k) {
    Segment segment(learner, shape, dtype, Mode{}, k, k + 1);
    if (k == 0) {
      segment.enter_at_start();
    } else {
      segment.enter(state);
    }
    segment.run_steps();
    segment.output("state", segment.state(k + 1));
    segment.builder().output("support_loss", segment.last_result().support_loss);
    output_answers(segment);
    state = types_of(segment.state(k + 1));
    plan.steps.push_back(cache.share(segment.finish()));
  }
  return plan;
}

}  // namespace outerloop::meta
