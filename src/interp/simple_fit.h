#pragma once
// The arithmetic of the simple models.

#include <span>
#include <string>
#include <vector>

#include "outerloop/interp/table.h"

namespace outerloop::interp {

// Throws BadInput unless targets are classes 0, 1, … and there are two.
size_t count_classes(std::span<const double> targets);

struct LinearFit {
  std::vector<double> coefficients;
  double intercept = 0;
};
LinearFit least_squares(const TableView& x, std::span<const double> targets,
                        std::span<const double> weights, std::span<const std::string> columns);

// Parameters (classes, columns + 1), the intercept last, of multinomial logistic regression.
std::vector<double> multinomial(const TableView& x, std::span<const double> targets,
                                std::span<const double> weights, size_t classes);
// Of the classes for one row.
void probabilities(std::span<const double> row, std::span<const double> parameters,
                   std::span<double> out);

}  // namespace outerloop::interp
