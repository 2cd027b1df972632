#include "meta/rule.h"

#include <algorithm>

#include "outerloop/ops/ops.h"

namespace outerloop::meta {

bool detaches(const Learner& learner) {
  return learner.rule.kind == RuleKind::first_order && learner.learned_steps;
}

int64_t boundary_of(const Learner& learner) {
  if (detaches(learner)) return 0;
  if (learner.rule.kind != RuleKind::exact) return learner.steps;
  const int64_t through = learner.rule.truncation;
  return through == 0 ? 0 : std::max<int64_t>(0, learner.steps - through);
}

Cotangents end_of_loop(Segment& segment) {
  switch (segment.learner().rule.kind) {
    case RuleKind::implicit:
      return end_by_implicit_solve(segment);
    case RuleKind::reptile:
      return end_by_reptile(segment);
    case RuleKind::exact:
    case RuleKind::first_order:
      break;
  }
  return end_by_query_loss(segment);
}

Objective objective_of(Segment& segment) {
  const Learner& learner = segment.learner();
  const Values& state = segment.state(segment.end());
  if (learner.objective) return learner.objective(segment.theta(), state, segment.query());
  const Expr prediction = learner.predict(segment.theta(), state, segment.query());
  const Task& task = segment.task();
  return {loss_of(prediction, task.query_y, task.shape.classification), prediction};
}

void output_metrics(Segment& segment, const Objective& objective) {
  const Task& task = segment.task();
  segment.builder().output("loss", objective.loss);
  if (task.shape.classification) {
    segment.builder().output("accuracy", accuracy_of(objective.prediction, task.query_y));
  }
}

Cotangents end_by_query_loss(Segment& segment) {
  const Objective objective = objective_of(segment);
  output_metrics(segment, objective);
  Values outputs;
  outputs.set("loss", objective.loss);
  Values cotangents;
  cotangents.set("loss", ones_like(objective.loss));
  return pull_back(segment.builder(), outputs, cotangents, segment.theta(),
                   segment.state(segment.end()));
}

Cotangents end_by_reptile(Segment& segment) {
  segment.builder().output("loss", segment.last_result().support_loss);
  Cotangents result;
  for (const auto& [name, adapted] : segment.state(segment.end())) {
    const Expr start = segment.theta().find(name);
    if (start.valid()) result.theta.set(name, start - adapted);
  }
  return result;
}

}  // namespace outerloop::meta
