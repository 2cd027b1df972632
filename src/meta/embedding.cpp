#include "meta/embedding.h"

#include "outerloop/ops/ops.h"

namespace outerloop::meta {

namespace {

Expr one_by_one(const nn::Model& model, const Values& theta, const Task& task,
                nn::DropoutSource* dropout) {
  const int64_t rows = task.shape.support_rows;
  std::vector<Expr> features;
  for (int64_t q = 0; q < task.shape.query_rows; ++q) {
    const Expr batch = concat({task.support_x, slice_axis(task.query_x, 0, q, q + 1)}, 0);
    features.push_back(slice_axis(model.forward(theta, batch, dropout), 0, rows, rows + 1));
  }
  return concat(features, 0);
}

}  // namespace

Embeddings embed(const nn::Model& model, const Values& theta, const Query& query,
                 const config::Learner& config) {
  const Task& task = query.task;
  nn::DropoutSource source{query.dropout_key, 0};
  nn::DropoutSource* dropout = query.dropout_key.valid() ? &source : nullptr;
  if (model.couples_examples && !config.transductive) {
    const Expr support = model.forward(theta, task.support_x, dropout);
    return {support, one_by_one(model, theta, task, dropout)};
  }
  if (!config.joint_batch) {
    const Expr support = model.forward(theta, task.support_x, dropout);
    return {support, model.forward(theta, task.query_x, dropout)};
  }
  const Expr all = model.forward(theta, concat({task.support_x, task.query_x}, 0), dropout);
  const int64_t rows = task.shape.support_rows;
  return {slice_axis(all, 0, 0, rows), slice_axis(all, 0, rows, rows + task.shape.query_rows)};
}

Learner make_embedding_learner(const config::Config& config, const TaskShape& shape,
                               const nn::Model& model,
                               std::function<Expr(const Values&, const Query&)> predict) {
  Learner learner;
  learner.algorithm = config.learner.algorithm;
  learner.parameters = model.parameters;
  const bool one_by_one = model.couples_examples && !config.learner.transductive;
  const int64_t passes = config.learner.joint_batch ? 1 : 2;
  learner.dropout_streams = model.dropout_layers * (one_by_one ? 1 + shape.query_rows : passes);
  learner.init = [](const Values& /*theta*/) { return Values{}; };
  learner.predict = [predict = std::move(predict)](const Values& theta, const Values& /*state*/,
                                                   const Query& query) {
    return predict(theta, query);
  };
  return learner;
}

}  // namespace outerloop::meta
