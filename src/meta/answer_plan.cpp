#include <algorithm>

#include "meta/first_product.h"
#include "meta/program_cache.h"
#include "meta/segment.h"

namespace outerloop::meta {
namespace {

Call part_of(const Call& whole, const Program& program) {
  Call part = whole;
  part.program = std::make_shared<const Program>(program);
  std::erase_if(part.constants,
                [&](const Constant& constant) { return program.input_index(constant.name) < 0; });
  return part;
}

void cut_answers(AnswerPlan& plan, ProgramCache& cache) {
  for (const Call& answer : plan.answers) {
    const auto cut = cut_at_first_product(*answer.program, "query_x");
    if (!cut) {
      plan.cut.clear();
      return;
    }
    plan.cut.push_back(
        {cache.share(part_of(answer, cut->product)), cache.share(part_of(answer, cut->rest))});
  }
}

}  // namespace

AnswerPlan make_answer_plan(const Learner& learner, const TaskShape& shape, int64_t steps,
                            DType dtype) {
  check_task(learner, shape, steps);
  ProgramCache cache;
  AnswerPlan plan;
  const auto add_answer = [&](Segment& segment, int64_t step) {
    segment.builder().output(
        "prediction", learner.predict(segment.theta(), segment.state(step), segment.query()));
    plan.answers.push_back(cache.share(segment.finish()));
  };
  Segment start(learner, shape, dtype, Mode{}, 0, 0);
  start.enter_at_start();
  add_answer(start, 0);

  ValueTypes state;
  for (int64_t k = 0; k < steps; ++k) {
    Segment step(learner, shape, dtype, Mode{}, k, k + 1);
    if (k == 0) {
      step.enter_at_start();
    } else {
      step.enter(state);
    }
    step.run_steps();
    step.output("state", step.state(k + 1));
    state = types_of(step.state(k + 1));
    plan.steps.push_back(cache.share(step.finish()));

    Segment answer(learner, shape, dtype, Mode{}, k, k + 1);
    answer.enter_at_end(state);
    add_answer(answer, k + 1);
  }
  cut_answers(plan, cache);
  return plan;
}

}  // namespace outerloop::meta
