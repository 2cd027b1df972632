#include "meta/heads.h"

#include "outerloop/config/limits.h"
#include "outerloop/ops/ops.h"

namespace outerloop::meta {

Expr prototypes_of(Expr features, Expr labels, int64_t ways) {
  const Expr members = one_hot(labels, ways, features.dtype());  // (rows, ways)
  return matmul(members, features, true) / expand_dims(sum(members, {0}), {1});
}

Expr squared_distances(Expr features, Expr prototypes) {
  const Expr difference = expand_dims(features, {1}) - expand_dims(prototypes, {0});
  return sum(square(difference), {2});
}

Expr ridge_weights(Expr x, Expr y, Expr lambda) {
  const int64_t rows = x.shape()[0];
  const int64_t features = x.shape()[1];
  const bool by_rows = rows <= features;
  const Expr gram = by_rows ? matmul(x, x, false, true) : matmul(x, x, true, false);
  const Expr eye = identity_matrix(x.builder(), by_rows ? rows : features, x.dtype());
  const Expr strength = maximum(full_like(lambda, config::kLeastRidge), lambda);
  const Expr regularised = gram + strength * eye;
  if (by_rows) return matmul(x, spd_solve(regularised, y), true);
  return spd_solve(regularised, matmul(x, y, true));
}

}  // namespace outerloop::meta
