#pragma once
// A meta-learner is three functions that append to a program, and a rule:
//
//   init  theta                  -> phi_0       what the inner loop starts from
//   step  phi_k, support, theta  -> phi_k+1     one adaptation step
//   loss  phi, query, theta      -> scalar      the outer objective
//
// Nothing else in the system knows which learner is running: plans (outerloop/meta/plan.h) turn
// these into programs. Adding an algorithm touches its own file, its maker in src/meta/registry.h
// and registry.cpp, its record in outerloop/config/algorithms.h with the keys of its own, and its
// tests.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "outerloop/config/config.h"
#include "outerloop/nn/model.h"
#include "outerloop/nn/parameter.h"
#include "outerloop/nn/values.h"

namespace outerloop::meta {

using nn::Values;

// Sizes of a task. Classification: labels are int32 (rows,) in 0 … ways-1; regression: targets are
// (rows, outputs).
struct TaskShape {
  Shape example;  // one input: (features) or (height, width, channels)
  bool classification = false;
  int64_t outputs = 1;  // ways, or values of a target
  int64_t support_rows = 0;
  int64_t query_rows = 0;
  int64_t minibatch_rows = 0;  // support rows of an inner step, chosen by an input; 0: all of them
};

// (rows, …example)
Shape with_rows(int64_t rows, const Shape& example);

// What a learner works on while it writes a program (src/meta/step.h).
class Step;    // one inner step: its batch, its number, its settings
struct Query;  // the query side of a task, and the step that came before

struct StepResult {
  Values state;          // phi_k+1
  Expr support_loss;     // mean loss of the batch, before the step
  Expr inner_objective;  // what the step descends, without any pull towards theta; implicit rule
};

struct Objective {
  Expr loss;        // scalar
  Expr prediction;  // (query rows, outputs): logits or values
};

enum class RuleKind {
  exact,        // through the last `truncation` steps, all of them where it is 0
  first_order,  // d phi_K / d phi_0 is the identity
  implicit,     // (I + H / lambda)^-1
  reptile,      // theta - phi_K
};

struct Rule {
  RuleKind kind = RuleKind::exact;
  int64_t truncation = 0;
  config::Implicit implicit;
};

// A number that a learner's training reports beside its loss: plans output measure/<name>, a scalar
// per task, and a run logs the mean over its tasks.
struct Measure {
  std::string name;
  double warn_above = 0;
  std::string advice;  // what to do about a mean above that
};

struct Learner {
  std::string algorithm;
  nn::ParameterSpecs parameters;  // theta
  Rule rule;
  std::vector<Measure> measures;
  int64_t steps = 0;          // inner steps in training
  int64_t segment = 0;        // steps between two stored states; 0: everything is stored
  int64_t most_steps = -1;    // at test; -1: any number
  int64_t head_outputs = -1;  // of the network's last layer; -1: as many as the task has
  // theta enters the steps other than through phi_0 and the network (learned rates, losses).
  bool learned_steps = false;
  // Streams of the dropout_key that the programs of the training loop take masks from; 0: no
  // dropout.
  int64_t dropout_streams = 0;

  std::function<Values(const Values& theta)> init;
  // Empty for learners without steps.
  std::function<StepResult(const Values& theta, const Values& state, const Step& step)> step;
  // Answers for the query rows. Needs no query_y.
  std::function<Expr(const Values& theta, const Values& state, const Query& query)> predict;
  // The outer objective at the end of the inner loop. Empty: loss_of(predict).
  std::function<Objective(const Values& theta, const Values& state, const Query& query)> objective;
};

// Mean cross-entropy of logits (rows, classes) and labels (int32 (rows,), or one-hot rows), or mean
// squared error.
Expr loss_of(Expr prediction, Expr target, bool classification);
// Fraction of rows whose largest logit, the lowest class at ties, is the label's.
Expr accuracy_of(Expr logits, Expr labels);

// The learner that config.learner names, for training tasks of this shape. Throws BadInput on an
// unknown algorithm or settings that it cannot use.
Learner make_learner(const config::Config& config, const TaskShape& shape);

// Multi-step loss weights of MAML++ (Antoniou et al. 2019, section 3; the authors' code): from
// equal weights to the last step's alone over `epochs` epochs. The training loop gives them as the
// input "hyper/multi_step_weights", (steps,).
std::vector<double> multi_step_weights(int64_t epoch, int64_t epochs, int64_t steps);

}  // namespace outerloop::meta
