#include "outerloop/meta/learner.h"
#include "outerloop/nn/functions.h"
#include "outerloop/ops/ops.h"

namespace outerloop::meta {

Expr loss_of(Expr prediction, Expr target, bool classification) {
  if (!classification) return nn::mean_squared_error(prediction, target);
  if (!is_floating(target.dtype())) return nn::softmax_cross_entropy(prediction, target);
  return -mean(sum(target * nn::log_softmax(prediction), {1}));
}

Expr accuracy_of(Expr logits, Expr labels) {
  const int64_t classes = logits.shape()[1];
  const Expr is_largest = equal(logits, broadcast_to(reduce_max_keep(logits, {1}), logits.shape()));
  // Column c of the product counts the largest logits left of c.
  const Expr ones = constant(logits.builder(), 1, {logits.dtype(), {classes, classes}});
  const Expr earlier = matmul(is_largest, triangle(ones, false, 0));
  const Expr answer = is_largest * equal(earlier, zeros_like(earlier));
  return mean(take_per_row(answer, labels));
}

}  // namespace outerloop::meta
