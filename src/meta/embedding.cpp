#include "meta/embedding.h"

#include "outerloop/ops/ops.h"

namespace outerloop::meta {

Embeddings embed(const nn::Model& model, const Values& theta, const Query& query,
                 const config::Learner& config) {
  const Task& task = query.task;
  nn::DropoutSource source{query.dropout_key, 0};
  nn::DropoutSource* dropout = query.dropout_key.valid() ? &source : nullptr;
  const auto features = [&](Expr rows) { return model.forward(theta, rows, dropout); };
  if (model.couples_examples && !config.transductive) {
    const Expr support = features(task.support_x);
    return {support, beside_support(task, features)};
  }
  if (!config.joint_batch) {
    const Expr support = features(task.support_x);
    return {support, features(task.query_x)};
  }
  const Expr all = features(concat({task.support_x, task.query_x}, 0));
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
