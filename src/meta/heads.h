#pragma once
// Closed-form answers from embeddings.

#include "outerloop/ir/builder.h"

namespace outerloop::meta {

// Class means (ways, features) of embeddings (rows, features) with labels int32 (rows,). Classes
// may have different numbers of rows.
Expr prototypes_of(Expr features, Expr labels, int64_t ways);

// (rows, features), (ways, features) -> (rows, ways)
Expr squared_distances(Expr features, Expr prototypes);

// Ridge regression from x (rows, features) to y (rows, columns), by the smaller of
//   W = X^T (X X^T + lambda I)^-1 Y = (X^T X + lambda I)^-1 X^T Y.
// A lambda that learning took below config::kLeastRidge, where the matrix may not be positive
// definite, counts as that; its derivative is 0 there.
Expr ridge_weights(Expr x, Expr y, Expr lambda);

}  // namespace outerloop::meta
