#pragma once
// Functions that networks and losses are made of, written with the ops (outerloop/ops/ops.h), so
// their derivatives of any order come from those.

#include <cstdint>
#include <span>

#include "outerloop/ops/ops.h"

namespace outerloop::nn {

// Over the last axis. The maximum is subtracted first and taken as a constant, which changes no
// derivative.
Expr softmax(Expr logits);
Expr log_softmax(Expr logits);
// logits (n, classes), labels int32 (n,) -> scalar: mean of -log softmax(logits)[i, labels[i]].
Expr softmax_cross_entropy(Expr logits, Expr labels);
// Mean over all elements.
Expr mean_squared_error(Expr prediction, Expr target);

// Mean and biased variance over all axes but the last (Ioffe and Szegedy 2015, statistics of this
// batch): (x - mean) / sqrt(variance + epsilon) * scale + shift. scale and shift are (channels,);
// an invalid Expr leaves one out.
Expr batch_norm(Expr x, Expr scale, Expr shift, double epsilon);
// Statistics over the last axis (Ba et al. 2016).
Expr layer_norm(Expr x, Expr scale, Expr shift, double epsilon);

// (N, H, W, C), stride = window, VALID: a last odd row or column is dropped. Keeps the index of the
// maximum, so that derivatives of every order follow the same element.
Expr max_pool(Expr x, int64_t window);
Expr max_pool_2x2(Expr x);

Expr leaky_relu(Expr x, double slope);
// Inverted dropout: x / (1 - rate) where uniform >= rate, else 0; uniform has the shape of x.
Expr dropout(Expr x, Expr uniform, double rate);

}  // namespace outerloop::nn
