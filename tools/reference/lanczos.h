#pragma once

#include <functional>
#include <utility>
#include <vector>

namespace outerloop::reference {

// Smallest and largest eigenvalue of a symmetric operator on vectors of n numbers, by the Lanczos
// process with full reorthogonalisation.
std::pair<double, double> extreme_eigenvalues(
    int64_t n, const std::function<std::vector<double>(const std::vector<double>&)>& apply);

}  // namespace outerloop::reference
