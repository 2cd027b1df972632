#pragma once
// What a driver runs per task, as programs. Data only: nothing here executes.
//
// Inputs of programs, found by name; each is there only where the program uses it:
//   theta/<parameter>        shared
//   hyper/<name>             shared; settings of the run, set by the training loop
//   schedule/<name>          shared; Call::constants gives them
//   support_x, support_y, query_x, query_y      per lane, shapes by TaskShape
//   minibatch                per lane, int32 (steps of the call, minibatch rows): the rows
//                            first_step … first_step + steps - 1 of the episode's minibatches
//   dropout_key              per lane, int32 (4,) (outerloop/ops/ops.h, random_uniform)
//   state/<name>             per lane; phi, written by the call before
//   cotangent/<name>         per lane; d loss / d state, written by the call after this in steps
//   grad/<parameter>         per lane; d loss / d theta so far, to which the call adds
// Outputs:
//   state/<name>             phi after the call's steps
//   cotangent/<name>         d loss / d phi before the call's steps
//   grad/<parameter>         d loss / d theta so far
//   loss                     the outer objective; reptile: the support loss before the last step
//   accuracy                 of the query answers, classification only
//   prediction               (query rows, outputs): logits or values
//   support_loss             before the (last) step of the call, on its batch
//   measure/<name>           each of the learner's measures
// Equal programs are one object, so a driver compiles each address once.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "outerloop/ir/program.h"
#include "outerloop/meta/learner.h"
#include "outerloop/tensor/tensor.h"

namespace outerloop::meta {

struct Constant {
  std::string name;
  Tensor value;
};

struct Call {
  std::shared_ptr<const Program> program;  // null: nothing to run
  std::vector<Constant> constants;
  int64_t first_step = 0;
  int64_t steps = 0;
};

// The meta-gradient of one task. Run forward[0], …, last, then backward from its end to its start.
// A state is needed again by the backward call of the segment that it enters, so a driver keeps all
// of them. d loss / d parameter is the newest value that any call wrote to grad/<parameter>; zero
// where none did. Steps are added in one order, from the last to the first, however they are cut
// into segments, so the bits do not depend on the segments.
struct GradientPlan {
  std::vector<Call> forward;
  Call last;
  std::vector<Call> backward;  // one per forward call; without a program where the rule needs none
};

// Throws BadInput where the learner cannot work on tasks of this shape or take so many steps, as
// the makers of plans do.
void check_task(const Learner& learner, const TaskShape& shape, int64_t steps);

// Throws BadInput too where its programs would be too long or have too many dropout masks.
GradientPlan make_gradient_plan(const Learner& learner, const TaskShape& shape,
                                DType dtype = DType::f32);

// The answers before any step, then one call per step; steps[0] starts from theta.
struct EvaluationPlan {
  Call start;
  std::vector<Call> steps;
};

// Any number of support and query rows. A learner whose network ends in a fixed layer takes as many
// ways as that has outputs or fewer (the first ones are used); others take any number. Throws
// BadInput where the learner cannot do what is asked.
EvaluationPlan make_evaluation_plan(const Learner& learner, const TaskShape& shape, int64_t steps,
                                    DType dtype = DType::f32);

// Adapting once and answering many times: steps[k] takes the state after k steps one further,
// answers[k] gives the prediction for `shape.query_rows` rows from the state after k steps alone.
// Learners without steps have answers[0], which reads the support set. The bits are those of the
// evaluation plan wherever answers do not depend on the other rows of a call.
//
// Where the query rows enter all answers by one product with a weight alone (an mlp's first layer),
// the answers are there in two parts too, so that changed rows can be answered from a changed
// product:
//   product   query_x -> product (query rows, width), and product_weight (inputs, width)
//   rest      query_product (query rows, width) -> prediction; reads no query_x
struct AnswerPlan {
  struct Cut {
    Call product, rest;
  };
  std::vector<Call> steps;
  std::vector<Call> answers;  // one more than steps
  std::vector<Cut> cut;       // of the answers, or none
};

// Throws as make_evaluation_plan.
AnswerPlan make_answer_plan(const Learner& learner, const TaskShape& shape, int64_t steps,
                            DType dtype = DType::f32);

}  // namespace outerloop::meta
