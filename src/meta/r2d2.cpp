// Bertinetto et al., "Meta-learning with differentiable closed-form solvers", 2019: ridge
// regression from support embeddings to one-hot labels; logits = scale f(x) W + bias. The ridge's
// lambda, scale and bias are learned.

#include "meta/embedding.h"
#include "meta/gradient_learner.h"
#include "meta/heads.h"
#include "meta/registry.h"
#include "outerloop/ops/ops.h"

namespace outerloop::meta {

Learner make_r2d2(const config::Config& config, const TaskShape& shape) {
  const nn::Model model = nn::make_model(config.model, shape.example, 0);
  const auto predict = [model, options = config.learner](const Values& theta, const Query& query) {
    const Embeddings embeddings = embed(model, theta, query, options);
    const Expr targets =
        one_hot(query.task.support_y, query.task.shape.outputs, embeddings.support.dtype());
    const Expr weights = ridge_weights(embeddings.support, targets, theta.at("head/lambda"));
    return theta.at("head/scale") * matmul(embeddings.query, weights) + theta.at("head/bias");
  };
  Learner learner = make_embedding_learner(config, shape, model, predict);
  const config::Ridge& ridge = config.learner.ridge;
  learner.parameters.push_back(setting("head/lambda", {}, ridge.lambda));
  learner.parameters.push_back(setting("head/scale", {}, ridge.scale));
  learner.parameters.push_back(setting("head/bias", {}, ridge.bias));
  return learner;
}

}  // namespace outerloop::meta
