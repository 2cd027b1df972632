#include "outerloop/nn/functions.h"

#include <fmt/format.h>

#include "outerloop/base/error.h"

namespace outerloop::nn {
namespace {

// Subtracting any constant from a row changes neither softmax nor its derivatives.
Expr centred(Expr logits) {
  return logits - stop_gradient(reduce_max_keep(logits, {-1}));
}

Expr scaled_and_shifted(Expr x, Expr scale, Expr shift) {
  if (scale.valid()) x = x * scale;
  if (shift.valid()) x = x + shift;
  return x;
}

}  // namespace

Expr softmax(Expr logits) {
  const Expr powers = exp(centred(logits));
  return powers / sum_keep(powers, {-1});
}

Expr log_softmax(Expr logits) {
  const Expr shifted = centred(logits);
  return shifted - log(sum_keep(exp(shifted), {-1}));
}

Expr softmax_cross_entropy(Expr logits, Expr labels) {
  const Expr shifted = centred(logits);
  const Expr normaliser = log(sum(exp(shifted), {-1}));  // (n,)
  return mean(normaliser - take_per_row(shifted, labels));
}

Expr mean_squared_error(Expr prediction, Expr target) {
  return mean(square(prediction - target));
}

Expr batch_norm(Expr x, Expr scale, Expr shift, double epsilon) {
  Axes axes;
  for (int64_t axis = 0; axis + 1 < x.shape().rank(); ++axis) axes.push_back(axis);
  const Expr deviation = x - mean(x, axes);
  const Expr variance = mean(square(deviation), axes);
  return scaled_and_shifted(deviation * rsqrt(variance + epsilon), scale, shift);
}

Expr layer_norm(Expr x, Expr scale, Expr shift, double epsilon) {
  const Expr deviation = x - mean_keep(x, {-1});
  const Expr variance = mean_keep(square(deviation), {-1});
  return scaled_and_shifted(deviation * rsqrt(variance + epsilon), scale, shift);
}

Expr max_pool(Expr x, int64_t window) {
  return take(x, max_pool_index(x, window, window));
}

Expr max_pool_2x2(Expr x) {
  return max_pool(x, 2);
}

Expr leaky_relu(Expr x, double slope) {
  return select(less(zeros_like(x), x), x, x * slope);
}

Expr dropout(Expr x, Expr uniform, double rate) {
  if (!(rate >= 0 && rate < 1)) {
    throw BadInput(fmt::format("dropout rate {} must be at least 0 and below 1", rate));
  }
  const Expr kept = less_equal(full_like(uniform, rate), uniform);
  return x * (kept * (1 / (1 - rate)));
}

}  // namespace outerloop::nn
