// Snell et al., "Prototypical Networks for Few-shot Learning", 2017: a class is the mean of its
// support embeddings; logits are minus the squared Euclidean distances.

#include "meta/embedding.h"
#include "meta/registry.h"
#include "outerloop/ops/ops.h"

namespace outerloop::meta {

namespace {

// (ways, features). Classes may have different numbers of support rows.
Expr prototypes_of(Expr features, const Task& task) {
  const Expr members = one_hot(task.support_y, task.shape.outputs, features.dtype());
  const Expr counts = sum(members, {0});
  return matmul(members, features, true) / expand_dims(counts, {1});
}

// (rows, ways)
Expr squared_distances(Expr features, Expr prototypes) {
  const Expr difference = expand_dims(features, {1}) - expand_dims(prototypes, {0});
  return sum(square(difference), {2});
}

}  // namespace

Learner make_protonet(const config::Config& config, const TaskShape& shape) {
  const nn::Model model = nn::make_model(config.model, shape.example, 0);
  const auto predict = [model, options = config.learner](const Values& theta, const Query& query) {
    const Embeddings embeddings = embed(model, theta, query, options);
    const Expr prototypes = prototypes_of(embeddings.support, query.task);
    return -squared_distances(embeddings.query, prototypes);
  };
  return make_embedding_learner(config, shape, model, predict);
}

}  // namespace outerloop::meta
