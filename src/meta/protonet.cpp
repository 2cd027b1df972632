// Snell et al., "Prototypical Networks for Few-shot Learning", 2017: a class is the mean of its
// support embeddings; logits are minus the squared Euclidean distances.

#include "meta/embedding.h"
#include "meta/heads.h"
#include "meta/registry.h"
#include "outerloop/base/error.h"
#include "outerloop/ops/ops.h"

namespace outerloop::meta {

Learner make_protonet(const config::Config& config, const TaskShape& shape) {
  if (!shape.classification) {
    throw BadInput("protonet: wants tasks with classes, got regression; use r2d2 or maml");
  }
  const nn::Model model = nn::make_model(config.model, shape.example, 0);
  const auto predict = [model, options = config.learner](const Values& theta, const Query& query) {
    const Embeddings embeddings = embed(model, theta, query, options);
    const Expr prototypes =
        prototypes_of(embeddings.support, query.task.support_y, query.task.shape.outputs);
    return -squared_distances(embeddings.query, prototypes);
  };
  return make_embedding_learner(config, shape, model, predict);
}

}  // namespace outerloop::meta
