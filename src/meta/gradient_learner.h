#pragma once
// What the learners share whose inner loop descends the support loss of a network.

#include <functional>

#include "meta/step.h"
#include "outerloop/meta/learner.h"

namespace outerloop::meta {

enum class RateKind {
  fixed,
  scalar,               // "inner/rate"
  per_element,          // "inner/rate/<parameter>", shaped like the parameter
  per_tensor_and_step,  // "inner/rate/<parameter>", (steps,)
};

struct InnerLoop {
  // Which parameters of the network the inner loop changes.
  std::function<bool(const nn::ParameterSpec&)> adapts;
  RateKind rate = RateKind::fixed;
  bool learn_weight_decay = false;  // "inner/weight_decay"
  bool per_step_norm = false;       // norm parameters are (steps, channels), one row a step
  bool multi_step_loss = false;     // sum over the steps of hyper/multi_step_weights[k] loss_k+1
  double pull = 0;                  // adds pull (phi - theta) to the inner gradient
  // The inner Adam's variances go on from task to task: "variance/<parameter>" and "variance_left",
  // the share of them that is still the zero of the beginning, are among the meta-parameters.
  bool carries_variance = false;
};

// All parameters of the network but those of normalisation, unless inner.adapt_norm.
std::function<bool(const nn::ParameterSpec&)> adapts_by_config(const config::Inner& config);

// The learner, its rule as learner.order and learner.truncation say (auto: exact).
Learner make_gradient_learner(const config::Config& config, const TaskShape& shape,
                              const InnerLoop& inner_loop);

// A learned setting: a scalar or an array whose elements all start at `value`.
nn::ParameterSpec setting(const std::string& name, const Shape& shape, double value);

// Where the forward pass of a step, or of the query rows after it, takes its dropout masks from:
// each pass of a program has streams of its own. An invalid key: no dropout.
nn::DropoutSource dropout_of(const nn::Model& model, const Step& step, bool query);

// Mean loss of a network on the rows of a step, by those of its outputs that the task has.
Expr batch_loss(const nn::Model& model, const Values& parameters, const Step& step);

// Answers of a network for the query rows. Where a batch couples its rows and the protocol is not
// transductive, each query row goes through beside the support set alone.
Expr answer_queries(const nn::Model& model, const Values& parameters, const Query& query,
                    bool transductive, nn::DropoutSource* dropout);

}  // namespace outerloop::meta
