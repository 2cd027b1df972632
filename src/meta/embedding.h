#pragma once
// What the learners share that compare embeddings and take no inner steps.

#include "meta/step.h"
#include "outerloop/nn/model.h"

namespace outerloop::meta {

struct Embeddings {
  Expr support;  // (support rows, features)
  Expr query;    // (query rows, features)
};

// Joint: support and query go through the network as one batch, support first, so that batch norm
// sees both; else as two batches. Where a batch couples its rows and the protocol is not
// transductive, the support set goes alone and each query row beside it.
Embeddings embed(const nn::Model& model, const Values& theta, const Query& query,
                 const config::Learner& config);

// A learner without steps whose answers are `predict`.
Learner make_embedding_learner(const config::Config& config, const TaskShape& shape,
                               const nn::Model& model,
                               std::function<Expr(const Values&, const Query&)> predict);

}  // namespace outerloop::meta
