#pragma once
// The small models that reference files hold: made to be recomputed without any library.

#include "outerloop/interp/table.h"
#include "reference/document.h"

namespace outerloop::reference {

// A model under `group`, by its `kind`:
//   linear    coef, intercept: the products from left to right, then the intercept
//   logistic  the same; class 1 where that is above 0
//   centroid  centroids (classes, columns): the class of least squared distance, ties to the lowest
//   constant  class
// Throws BadInput when it is none of these or does not fit tables of so many columns.
interp::Model stored_model(const Document& document, const std::string& group, size_t columns);

// Probabilities of class 1 in place of the classes of a logistic model.
interp::Model stored_probabilities(const Document& document, const std::string& group,
                                   size_t columns);

// Index of the row of `centroids` nearest to x.
size_t nearest_centroid(const interp::TableView& centroids, std::span<const double> x);

}  // namespace outerloop::reference
