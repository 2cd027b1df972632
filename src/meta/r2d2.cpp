// Bertinetto et al., "Meta-learning with differentiable closed-form solvers", 2019: ridge
// regression from support embeddings to one-hot labels; logits = scale f(x) W + bias. The ridge's
// lambda, scale and bias are learned. The authors' code can learn lambda as an exponent, which
// keeps it positive; here it is learned as it is, and ridge_weights() holds it above zero.
//
// Numbers as targets: the ridge pulls W to learned weights W0 instead of 0, which is the mean of
// the posterior with W0 as the prior's mean (Harrison et al., "Meta-learning priors for efficient
// online Bayesian regression", 2018): W = W0 + ridge(f(x), (y - bias) / scale - f(x) W0).

#include "meta/embedding.h"
#include "meta/gradient_learner.h"
#include "meta/heads.h"
#include "meta/registry.h"
#include "outerloop/ops/ops.h"

namespace outerloop::meta {

namespace {

Expr weights_of(const Values& theta, const Task& task, Expr support) {
  const Expr lambda = theta.at("head/lambda");
  if (task.shape.classification) {
    return ridge_weights(support, one_hot(task.support_y, task.shape.outputs, support.dtype()),
                         lambda);
  }
  const Expr prior = theta.at("head/weight");
  const Expr targets = (task.support_y - theta.at("head/bias")) / theta.at("head/scale");
  return prior + ridge_weights(support, targets - matmul(support, prior), lambda);
}

}  // namespace

Learner make_r2d2(const config::Config& config, const TaskShape& shape) {
  const nn::Model model = nn::make_model(config.model, shape.example, 0);
  const auto predict = [model, options = config.learner](const Values& theta, const Query& query) {
    const Embeddings embeddings = embed(model, theta, query, options);
    const Expr weights = weights_of(theta, query.task, embeddings.support);
    return theta.at("head/scale") * matmul(embeddings.query, weights) + theta.at("head/bias");
  };
  Learner learner = make_embedding_learner(config, shape, model, predict);
  const config::Ridge& ridge = config.learner.ridge;
  learner.parameters.push_back(setting("head/lambda", {}, ridge.lambda));
  learner.parameters.push_back(setting("head/scale", {}, ridge.scale));
  learner.parameters.push_back(setting("head/bias", {}, ridge.bias));
  if (!shape.classification) {
    learner.parameters.push_back(setting("head/weight", {model.outputs, shape.outputs}, 0));
  }
  return learner;
}

}  // namespace outerloop::meta
