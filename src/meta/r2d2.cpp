// Bertinetto et al., "Meta-learning with differentiable closed-form solvers", 2019: ridge
// regression from support embeddings X (rows, features) to one-hot labels Y, by the smaller of
//   W = X^T (X X^T + lambda I)^-1 Y = (X^T X + lambda I)^-1 X^T Y,
// logits = scale f(x) W + bias. lambda, scale and bias are learned.

#include "meta/embedding.h"
#include "meta/gradient_learner.h"
#include "meta/registry.h"
#include "outerloop/ops/ops.h"

namespace outerloop::meta {

namespace {

Expr ridge_weights(Expr x, Expr y, Expr lambda) {
  const int64_t rows = x.shape()[0];
  const int64_t features = x.shape()[1];
  const bool by_rows = rows <= features;
  const Expr gram = by_rows ? matmul(x, x, false, true) : matmul(x, x, true, false);
  const Expr eye = identity_matrix(x.builder(), by_rows ? rows : features, x.dtype());
  const Expr regularised = gram + lambda * eye;
  if (by_rows) return matmul(x, spd_solve(regularised, y), true);
  return spd_solve(regularised, matmul(x, y, true));
}

}  // namespace

Learner make_r2d2(const config::Config& config, const TaskShape& shape) {
  const nn::Model model = nn::make_model(config.model, shape.example, 0);
  const auto predict = [model, options = config.learner](const Values& theta, const Query& query) {
    const Embeddings embeddings = embed(model, theta, query, options);
    const Expr targets =
        one_hot(query.task.support_y, query.task.shape.outputs, embeddings.support.dtype());
    const Expr weights = ridge_weights(embeddings.support, targets, theta.at("head/lambda"));
    const Expr scores = matmul(embeddings.query, weights);
    return theta.at("head/scale") * scores + theta.at("head/bias");
  };
  Learner learner = make_embedding_learner(config, shape, model, predict);
  const config::Ridge& ridge = config.learner.ridge;
  learner.parameters.push_back(setting("head/lambda", {}, ridge.lambda));
  learner.parameters.push_back(setting("head/scale", {}, ridge.scale));
  learner.parameters.push_back(setting("head/bias", {}, ridge.bias));
  return learner;
}

}  // namespace outerloop::meta
